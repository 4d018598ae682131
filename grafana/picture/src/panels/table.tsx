import { TableNG } from "@grafana/ui/unstable";

import { fieldConfig } from "../fields.ts";
import type { Drawing } from "./drawing.ts";

export function TablePanel({ panel, data, range, width, height }: Drawing) {
  const { options } = panel;
  return (
    <TableNG
      data={data[0]}
      width={width}
      height={height}
      timeRange={range}
      noHeader={options.showHeader === false}
      cellHeight={options.cellHeight}
      sortBy={options.sortBy}
      frozenColumns={options.frozenColumns?.left}
      enablePagination={options.footer?.enablePagination ?? options.enablePagination}
      fieldConfig={fieldConfig(panel)}
      noValue={panel.fieldConfig.defaults.noValue}
      resizable
    />
  );
}
