import type { DataFrame, InterpolateFunction, TimeRange } from "@grafana/data";

import type { Panel } from "../dashboard.ts";

/** What the drawing of a panel gets: data that is prepared, and the room that there is. */
export interface Drawing {
  panel: Panel;
  data: DataFrame[];
  range: TimeRange;
  replace: InterpolateFunction;
  width: number;
  height: number;
}
