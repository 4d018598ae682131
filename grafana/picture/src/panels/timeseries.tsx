import { DashboardCursorSync, EventBusSrv } from "@grafana/data";
import { PanelContextProvider, TimeSeries, TooltipPlugin } from "@grafana/ui";
import { LegendDisplayMode, TooltipDisplayMode } from "@grafana/schema";

import type { Drawing } from "./drawing.ts";

const context = { eventsScope: "picture", eventBus: new EventBusSrv(), sync: () => DashboardCursorSync.Off };
const NO_LEGEND = { displayMode: LegendDisplayMode.Hidden, showLegend: false, placement: "bottom", calcs: [] };

export function TimeSeriesPanel({ panel, data, range, width, height }: Drawing) {
  const tooltip = panel.options.tooltip ?? {};
  return (
    <PanelContextProvider value={context}>
      <TimeSeries
        frames={data}
        structureRev={undefined}
        timeRange={range}
        timeZone="browser"
        width={width}
        height={height}
        legend={panel.options.legend ?? NO_LEGEND}
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
