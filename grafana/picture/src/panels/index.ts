/** The kinds of panels that can be drawn, by the names that dashboards have for them. */

import type { ComponentType } from "react";

import { BarGaugePanel } from "./bargauge.tsx";
import type { Drawing } from "./drawing.ts";
import { StatPanel } from "./stat.tsx";
import { TablePanel } from "./table.tsx";
import { TimeSeriesPanel } from "./timeseries.tsx";

export const kinds: Record<string, ComponentType<Drawing>> = {
  bargauge: BarGaugePanel,
  stat: StatPanel,
  table: TablePanel,
  timeseries: TimeSeriesPanel,
};

/** These show what stands for no data by themselves. */
export const showNothing = new Set(["bargauge", "stat"]);
