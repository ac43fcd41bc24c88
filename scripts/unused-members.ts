// Fails if a public member of a class in src is used only by tests or not at all, and prints which. knip does not see members.
import path from "node:path";
import ts from "typescript";

/** Members that look unused, and why they stay. */
const ALLOWED: Readonly<Record<string, string>> = {
  "Secret.toString": "string conversion calls it",
  "Secret.toJSON": "JSON.stringify calls it",
  "RequestGate.setTimeout": "Node's http server calls it",
  "ReceiveMemory.bytes": "tests assert that it is bounded",
  "XdrReader.fixedOpaque": "the counterpart of what the writer needs",
  "SimulatorServer.blockedCalls": "tests watch the simulator",
  "SimulatorServer.clients": "tests watch the simulator",
  "SimulatedHost.release": "tests control the simulator",
  "SimulatedHost.freeze": "tests control the simulator",
  "SimulatedHost.thaw": "tests control the simulator",
  "SimulatedHost.lock": "tests control the simulator",
  "SimulatedHost.unlock": "tests control the simulator",
};

const root = process.cwd();
const source = path.join(root, "src") + path.sep;
const { options, fileNames } = ts.parseJsonConfigFileContent(
  ts.readConfigFile("tsconfig.json", (file) => ts.sys.readFile(file)).config,
  ts.sys,
  root,
);
const service = ts.createLanguageService({
  fileExists: (file) => ts.sys.fileExists(file),
  readFile: (file) => ts.sys.readFile(file),
  readDirectory: (...search) => ts.sys.readDirectory(...search),
  directoryExists: (directory) => ts.sys.directoryExists(directory),
  getDirectories: (directory) => ts.sys.getDirectories(directory),
  getScriptFileNames: () => fileNames,
  getScriptVersion: () => "0",
  getScriptSnapshot: (file) => {
    const text = ts.sys.readFile(file);
    return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
  },
  getCurrentDirectory: () => root,
  getCompilationSettings: () => options,
  getDefaultLibFileName: (of) => ts.getDefaultLibFilePath(of),
});

function isUsedInSource(file: string, position: number): boolean {
  const references = service.findReferences(file, position) ?? [];
  return references
    .flatMap(({ references }) => references)
    .some(({ isDefinition, fileName }) => isDefinition !== true && fileName.startsWith(source));
}

/** A class of a library calls its overridden members. */
function isOverride(member: ts.ClassElement): boolean {
  return (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Override) !== 0;
}

const unused = new Set<string>();
for (const file of fileNames.filter((name) => name.startsWith(source))) {
  const parsed = service.getProgram()?.getSourceFile(file);
  for (const declaration of parsed?.statements.filter(ts.isClassDeclaration) ?? [])
    for (const member of declaration.members) {
      const { name } = member;
      if (name === undefined || !ts.isIdentifier(name) || isOverride(member)) continue;
      if (!isUsedInSource(file, name.getStart(parsed))) unused.add(`${declaration.name?.text}.${name.text}`);
    }
}
for (const member of unused)
  if (!(member in ALLOWED)) {
    console.log(`${member} is not used in src: remove it`);
    process.exitCode = 1;
  }
for (const member of Object.keys(ALLOWED))
  if (!unused.has(member)) {
    console.log(`${member} is used: take it off ALLOWED`);
    process.exitCode = 1;
  }
