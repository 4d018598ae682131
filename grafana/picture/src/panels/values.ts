import { type FieldDisplay, getFieldDisplayValues, type GrafanaTheme2 } from "@grafana/data";

import { fieldConfig } from "../fields.ts";
import type { Drawing } from "./drawing.ts";

const LAST = { calcs: ["lastNotNull"], fields: "", values: false };

/** One value for each series, or the one that stands for none. */
export function displayed({ panel, data, replace }: Drawing, theme: GrafanaTheme2, sparkline = false): FieldDisplay[] {
  return getFieldDisplayValues({
    data,
    reduceOptions: { ...LAST, ...panel.options.reduceOptions },
    fieldConfig: fieldConfig(panel),
    replaceVariables: replace,
    sparkline,
    theme,
    timeZone: "browser",
  });
}
