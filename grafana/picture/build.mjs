// `node build.mjs FOLDER`: the page with its fonts and icons, all that a browser needs of it.
import { cpSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const folder = process.argv[2] ?? "dist";
const unused = /^(monaco-editor|react-monaco-editor)(\/|$)/;

// Editors for code, of which no panel has any.
const withoutEditors = {
  name: "without-editors",
  setup(build) {
    build.onResolve({ filter: unused }, ({ path }) => ({ path, namespace: "unused" }));
    build.onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {};", loader: "js" }));
  },
};

await build({
  entryPoints: ["src/main.tsx"],
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  splitting: true,
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [withoutEditors],
  logLevel: "warning",
});
copyFileSync("src/index.html", join(folder, "index.html"));

// Where Grafana's styles look for them. One file has all weights.
const fonts = join(folder, "public/fonts/inter");
mkdirSync(fonts, { recursive: true });
for (const name of ["Inter-Regular.woff2", "Inter-Medium.woff2"]) {
  copyFileSync("node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2", join(fonts, name));
}
const icons = join(folder, "public/build/img/icons");
mkdirSync(icons, { recursive: true });
cpSync("node_modules/@grafana/ui/dist/public/img/icons", icons, { recursive: true });
