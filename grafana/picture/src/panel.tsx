import { type DataFrame, type InterpolateFunction, LoadingState, type TimeRange } from "@grafana/data";
import { ErrorBoundaryAlert, PanelChrome, useTheme2 } from "@grafana/ui";
import { useEffect, useState } from "react";

import type { Panel } from "./dashboard.ts";
import { prepared } from "./fields.ts";
import { kinds, showNothing } from "./panels/index.ts";
import { type Asking, empty, frames } from "./prometheus.ts";

interface Answer {
  data: DataFrame[];
  range: TimeRange;
  nothing: boolean;
  error?: string;
}

interface Props {
  panel: Panel;
  asking: Asking;
  replace: InterpolateFunction;
  width: number;
  height: number;
}

/** One panel, which asks anew whenever the time that is looked at moves on. Until the answer is there, the last one is shown. */
export function DashboardPanel({ panel, asking, replace, width, height }: Props) {
  const answer = useAnswer(panel, asking, replace, width);
  const state = !answer ? "loading" : answer.error ? "error" : answer.nothing ? "empty" : "drawn";
  return (
    <div data-panel={panel.title} data-kind={panel.type} data-state={state}>
      <PanelChrome
        title={replace(panel.title ?? "")}
        description={panel.description && replace(panel.description)}
        displayMode={panel.transparent ? "transparent" : "default"}
        loadingState={answer ? LoadingState.Done : LoadingState.Loading}
        statusMessage={answer?.error}
        padding={panel.type === "table" ? "none" : "md"}
        width={width}
        height={height}
      >
        {(innerWidth, innerHeight) => answer && <Drawn {...{ panel, answer, replace }} width={innerWidth} height={innerHeight} />}
      </PanelChrome>
    </div>
  );
}

function Drawn({ panel, answer, replace, width, height }: Omit<Props, "asking"> & { answer: Answer }) {
  const Kind = kinds[panel.type];
  if (!Kind) return <Words>This page cannot draw a {panel.type}.</Words>;
  if (answer.error) return <Words>{answer.error}</Words>;
  if (answer.nothing && !showNothing.has(panel.type)) return <Words>{panel.fieldConfig.defaults.noValue || "No data"}</Words>;
  return (
    <ErrorBoundaryAlert dependencies={[answer]}>
      <Kind panel={panel} data={answer.data} range={answer.range} {...{ replace, width, height }} />
    </ErrorBoundaryAlert>
  );
}

/** What Grafana shows in the middle of a panel that has nothing to draw. */
function Words({ children }: { children: React.ReactNode }) {
  const theme = useTheme2();
  return <div style={{ ...CENTRED, color: theme.colors.text.secondary }}>{children}</div>;
}

const CENTRED = { display: "flex", alignItems: "center", justifyContent: "center", height: "100%", textAlign: "center" } as const;

function useAnswer(panel: Panel, asking: Asking, replace: InterpolateFunction, width: number): Answer | undefined {
  const theme = useTheme2();
  const [answer, setAnswer] = useState<Answer>();
  useEffect(() => {
    let wanted = true;
    const show = (shown: Answer) => wanted && setAnswer(shown);
    const { range } = asking;
    const found = frames(panel, asking, width);
    found
      .then(async (data) => show({ data: await prepared(panel, data, theme, replace), range, nothing: empty(data) }))
      .catch((error: Error) => show({ data: [], range, nothing: true, error: error.message }));
    return () => {
      wanted = false;
    };
  }, [panel, asking, replace, width, theme]);
  return answer;
}
