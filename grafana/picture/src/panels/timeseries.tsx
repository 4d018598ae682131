import { type DataFrame, DashboardCursorSync, EventBusSrv, FieldType } from "@grafana/data";
import { PanelContextProvider, TimeSeries, TooltipPlugin } from "@grafana/ui";
import { LegendDisplayMode, TooltipDisplayMode, type VizLegendOptions } from "@grafana/schema";
import { useMemo } from "react";

import type { Drawing } from "./drawing.ts";

const context = { eventsScope: "picture", eventBus: new EventBusSrv(), sync: () => DashboardCursorSync.Off };
const LEGEND: VizLegendOptions = { displayMode: LegendDisplayMode.List, showLegend: true, placement: "bottom", calcs: [] };

export function TimeSeriesPanel({ panel, data, range, width, height }: Drawing) {
  const tooltip = panel.options.tooltip ?? {};
  return (
    <PanelContextProvider value={context}>
      <TimeSeries
        frames={useMemo(() => data.map(graphable), [data])}
        structureRev={undefined}
        timeRange={range}
        timeZone="browser"
        width={width}
        height={height}
        legend={{ ...LEGEND, ...panel.options.legend }}
        options={panel.options}
      >
        {(config, aligned) => (
          <TooltipPlugin
            config={config}
            data={aligned}
            mode={tooltip.mode ?? TooltipDisplayMode.Single}
            sortOrder={tooltip.sort}
            timeZone="browser"
          />
        )}
      </TimeSeries>
    </PanelContextProvider>
  );
}

/** What is no number, e.g. a quantile of nothing, leaves a gap. */
function graphable(frame: DataFrame): DataFrame {
  const finite = (value: unknown) => (Number.isFinite(value) ? value : null);
  const fields = frame.fields.map((field) => (field.type === FieldType.number ? { ...field, values: field.values.map(finite) } : field));
  return { ...frame, fields };
}
