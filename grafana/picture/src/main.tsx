import { createTheme } from "@grafana/data";
import { GlobalStyles, PortalContainer, ThemeContext } from "@grafana/ui";
import { createRoot } from "react-dom/client";

import { Page } from "./page.tsx";

const theme = createTheme({ colors: { mode: "dark" } });

const [dashboard, settings] = await Promise.all(["dashboard.json", "settings.json"].map(async (path) => (await fetch(path)).json()));
document.title = dashboard.title;
createRoot(document.getElementById("root")!).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <Page dashboard={dashboard} settings={settings} address={new URLSearchParams(location.search)} />
    <PortalContainer />
  </ThemeContext.Provider>,
);
