/**
 * What a page downloads, minified and gzipped. esbuild bundles for browsers: a Node builtin would not resolve. What is
 * imported only when it is needed (the interpreter, and the replay of a step that is not finite) is another download.
 */
const onDemand = ['*/interpreter.js', '*/replay.js']
const asModule = {
  gzip: true,
  modifyEsbuildConfig: (config) => ({
    ...config,
    format: 'esm',
    external: [...(config.external ?? []), ...onDemand],
  }),
}

export default [
  {
    name: 'building, fitting and running an LSTM',
    import: { '../../dist/index.js': '{ adam, dense, fit, lstm, predict, sequential }' },
    limit: '60 kB',
    ...asModule,
  },
  {
    name: 'loading a model and running it',
    import: { '../../dist/index.js': '{ predict }', '../../dist/io/index.js': '{ loadModel }' },
    limit: '55 kB',
    ...asModule,
  },
  {
    name: 'an optimizer alone: what is not imported stays out',
    import: { '../../dist/index.js': '{ adam }' },
    limit: '1.5 kB',
    ...asModule,
  },
]
