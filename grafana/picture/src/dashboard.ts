/** A dashboard as Grafana's classic JSON has it, as far as it is drawn here. */

import type { DataTransformerConfig, FieldConfigSource } from "@grafana/data";

export interface Target {
  refId: string;
  expr: string;
  legendFormat?: string;
  format?: "time_series" | "table" | "heatmap";
  instant?: boolean;
  interval?: string;
  hide?: boolean;
}

export interface Link {
  title: string;
  url?: string;
}

export interface Panel {
  id: number;
  type: string;
  title?: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  fieldConfig: FieldConfigSource;
  // Every kind of panel has its own.
  options: Record<string, any>;
  transformations?: DataTransformerConfig[];
  transparent?: boolean;
  maxDataPoints?: number | null;
  interval?: string | null;
  links?: Link[];
  collapsed?: boolean;
  panels?: Panel[];
}

export interface Variable {
  name: string;
  type: string;
  label?: string | null;
  hide?: number | string;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  query?: unknown;
  current?: { value?: string | string[]; text?: string | string[] };
}

export interface Dashboard {
  title: string;
  time?: { from: string; to: string };
  templating?: { list: Variable[] };
  links?: Link[];
  panels: Panel[];
}

/** A row's heading with the panels that stand below it; the panels above the first row have none. */
export interface Section {
  row: Panel | null;
  panels: Panel[];
}

/** The panels by row. Those of a closed row are within it in the JSON, those of an open one follow it. */
export function sections(dashboard: Dashboard): Section[] {
  const found: Section[] = [{ row: null, panels: [] }];
  for (const panel of inReadingOrder(dashboard.panels)) {
    if (panel.type === "row") {
      found.push({ row: panel, panels: inReadingOrder(panel.panels ?? []) });
    } else {
      found[found.length - 1].panels.push(panel);
    }
  }
  return found.filter((section) => section.row !== null || section.panels.length > 0);
}

function inReadingOrder(panels: Panel[]): Panel[] {
  return [...panels].sort((one, other) => one.gridPos.y - other.gridPos.y || one.gridPos.x - other.gridPos.x);
}
