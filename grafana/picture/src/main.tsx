import "@fontsource-variable/inter";

import { createTheme } from "@grafana/data";
import { GlobalStyles, PortalContainer, ThemeContext } from "@grafana/ui";
import { createRoot } from "react-dom/client";

import { Page } from "./page.tsx";

const FONT = '"Inter Variable", sans-serif';
const theme = createTheme({ colors: { mode: "dark" }, typography: { fontFamily: FONT, fontFamilyMonospace: "monospace" } });

const [dashboard, settings] = await Promise.all(["dashboard.json", "settings.json"].map(async (path) => (await fetch(path)).json()));
document.title = dashboard.title;
await document.fonts.load(`14px ${FONT}`); // text is measured before it is drawn
createRoot(document.getElementById("root")!).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <Page dashboard={dashboard} settings={settings} address={new URLSearchParams(location.search)} />
    <PortalContainer />
  </ThemeContext.Provider>,
);
