// Runs a Python program under the CPython of npm's package `pyodide`, in Node:
//     node run.mjs PYODIDE PROGRAM FILE FOLDER...
// FOLDERs go in front of sys.path; the program gets FILE, and what it prints is printed.
import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [pyodide, program, file, ...folders] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(pyodide, "pyodide.mjs")).href);
const python = await loadPyodide({ stdout: (line) => process.stdout.write(line + "\n") });

const mounted = [...folders, dirname(program)].map((name, number) => {
  const where = `/mounted/${number}`;
  python.FS.mkdirTree(where);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: resolve(name) }, where);
  return where;
});
python.FS.writeFile("/file", readFileSync(file));
python.globals.set("folders", python.toPy(mounted));
python.globals.set("program", `${mounted.at(-1)}/${basename(program)}`);
python.runPython(`
import runpy, sys
sys.dont_write_bytecode = True
sys.path[:0] = folders
sys.argv = [program, "/file"]
runpy.run_path(program, run_name="__main__")
`);
