/**
 * What a page downloads, minified and gzipped. esbuild bundles for browsers: a Node builtin would not resolve. What is
 * imported only when it is needed (the interpreter, the replay of a step that is not finite, emitters of rare operations,
 * what is measured besides the training's loss, weights of losses, teacher forcing, truncation with k1 < k2, rows of unlike
 * lengths, checkpointed steps) is another download.
 */
const onDemand = [
  'interpreter',
  'replay',
  'verify',
  'rare',
  'measure',
  'metrics',
  'weights',
  'forcing-checks',
  'plateau',
  'window-graph',
  'overlap',
  'packing',
  'forcing',
  'sampling',
  'stateful',
  'accumulation',
  'early-stopping',
  'checkpoint',
].map((name) => `*/${name}.js`)
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
    name: 'building and fitting an LSTM',
    import: { '../../dist/index.js': '{ adam, dense, fit, lstm, sequential }' },
    limit: '60 kB',
    ...asModule,
  },
  {
    name: 'the same, and running it',
    import: { '../../dist/index.js': '{ adam, dense, fit, lstm, predict, sequential }' },
    limit: '62 kB',
    ...asModule,
  },
  {
    name: 'loading a model and running it',
    import: { '../../dist/index.js': '{ predict }', '../../dist/io/index.js': '{ loadModel }' },
    limit: '59 kB',
    ...asModule,
  },
  {
    name: 'an optimizer alone: what is not imported stays out',
    import: { '../../dist/index.js': '{ adam }' },
    limit: '1.5 kB',
    ...asModule,
  },
]
