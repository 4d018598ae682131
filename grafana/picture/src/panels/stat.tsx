import { type DisplayValueAlignmentFactors, type FieldDisplay, getDisplayValueAlignmentFactors, VizOrientation } from "@grafana/data";
import {
  BigValue,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  useTheme2,
  VizRepeater,
} from "@grafana/ui";

import type { Drawing } from "./drawing.ts";
import { displayed } from "./values.ts";

export function StatPanel(drawing: Drawing) {
  const { panel, data, range, width, height } = drawing;
  const theme = useTheme2();
  const { options } = panel;
  const withGraph = (options.graphMode ?? BigValueGraphMode.Area) !== BigValueGraphMode.None;
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={() => displayed(drawing, theme, withGraph)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, width, height, count }) => (
        <BigValue
          value={value.display}
          count={count}
          sparkline={value.sparkline && { ...value.sparkline, timeRange: range }}
          colorMode={options.colorMode ?? BigValueColorMode.Value}
          graphMode={options.graphMode ?? BigValueGraphMode.Area}
          justifyMode={options.justifyMode ?? BigValueJustifyMode.Auto}
          textMode={textMode(drawing)}
          alignmentFactors={alignmentFactors}
          text={options.text}
          width={width}
          height={height}
          theme={theme}
        />
      )}
      source={data}
      width={width}
      height={height}
      itemSpacing={3}
      renderCounter={range.to.valueOf()}
      autoGrid
      orientation={options.orientation ?? VizOrientation.Auto}
    />
  );
}

/** A name that the dashboard gives is always shown. */
function textMode({ panel }: Drawing): BigValueTextMode {
  const mode = panel.options.textMode ?? BigValueTextMode.Auto;
  return mode === BigValueTextMode.Auto && panel.fieldConfig.defaults.displayName ? BigValueTextMode.ValueAndName : mode;
}
