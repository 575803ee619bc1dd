// The import arrows of src/: `npm run arrows`. docs/architecture.md says why they run this way.

/** Folder → the folders it may import, besides itself and `tensor`. A new folder starts with a line here. */
const arrows = {
  tensor: [],
  graph: [],
  passes: ['graph'],
  codegen: ['passes', 'graph'],
  init: ['graph'],
  cells: ['graph', 'init'],
  // A model opens a stream, which is compiled: layers/stream.ts alone.
  layers: ['cells', 'init', 'graph', 'codegen'],
  data: [],
  train: ['layers', 'codegen', 'graph', 'data'],
  io: ['layers', 'cells', 'init', 'graph'],
  inspect: ['train', 'layers', 'graph', 'data'],
  tasks: ['inspect', 'io', 'train', 'data', 'layers', 'cells', 'init', 'codegen', 'passes', 'graph'],
  cli: ['tasks', 'inspect', 'io', 'train', 'data', 'layers', 'cells', 'init', 'codegen', 'passes', 'graph'],
}

/** The only files that may import `node:*`. Nothing that a browser loads may reach them. */
const nodeFiles = ['^src/cli/', '^src/tasks/', '^src/io/node[^/]*[.]ts$']

/** What package.json exports to browsers as well as to Node. */
const publicEntries = ['^src/index[.]ts$', '^src/[^/]+/index[.]ts$']

/** The packages that a public entry may load, when a file of their format is read; all that it reaches otherwise is ours. */
const onDemand = '^node_modules/(papaparse|hyparquet|hyparquet-compressors)/'

const tests = '[.]test[.]ts$'

const arrowRules = Object.entries(arrows).map(([folder, others]) => {
  const allowed = [...new Set([folder, 'tensor', ...others])]
  return {
    name: `arrows-${folder}`,
    comment: `src/${folder} may import only ${allowed.join(', ')}`,
    severity: 'error',
    from: { path: `^src/${folder}/`, pathNot: tests },
    to: { path: '^src/', pathNot: `^src/(${allowed.join('|')})/` },
  }
})

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...arrowRules,
    {
      name: 'train-takes-types-of-data',
      comment: 'src/train knows what a batch looks like, not how one is made: `import type` only',
      severity: 'error',
      from: { path: '^src/train/', pathNot: tests },
      to: { path: '^src/data/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'layers-compile-streams-alone',
      comment: 'a layer is traced; what runs a model is not its business. A stream is a model that runs',
      severity: 'error',
      from: { path: '^src/layers/', pathNot: ['^src/layers/stream[.]ts$', tests] },
      to: { path: '^src/codegen/' },
    },
    {
      name: 'folder-without-arrows',
      comment: 'every folder of src/ stands in the table of .dependency-cruiser.cjs',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: [`^src/(${Object.keys(arrows).join('|')})/`, tests] },
      to: {},
    },
    {
      name: 'no-cycles',
      comment: 'no import cycle anywhere: types and tests count too',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'a module that imports nothing and that nothing imports is dead',
      severity: 'error',
      from: { orphan: true, pathNot: [tests, ...publicEntries] },
      to: {},
    },
    {
      name: 'node-only-where-named',
      comment:
        'node:* builtins stand only in the command line, the tasks and src/io/node*.ts; their types may stand elsewhere',
      severity: 'error',
      from: { path: '^src/', pathNot: [...nodeFiles, tests] },
      to: { dependencyTypes: ['core'], dependencyTypesNot: ['type-only', 'type-import'] },
    },
    {
      name: 'browser-entries-stay-free-of-node',
      comment: 'a public entry must load in a browser, so nothing it reaches may be a Node file',
      severity: 'error',
      from: { path: publicEntries },
      to: { path: nodeFiles, reachable: true },
    },
    {
      name: 'browser-entries-stay-free-of-packages',
      comment: 'a public entry must load in a page without a bundler, so nothing it reaches may be a package',
      severity: 'error',
      from: { path: publicEntries },
      to: { path: '^node_modules/', pathNot: onDemand, reachable: true },
    },
    {
      name: 'packages-on-demand',
      comment: 'what reads files of a format is loaded by import() where one is read',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { path: onDemand, dynamic: false },
    },
    {
      name: 'no-dev-dependencies',
      comment: 'what src/ imports must be installed with the package: a dependency, not a devDependency',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-unresolved',
      comment: 'an import that leads nowhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
