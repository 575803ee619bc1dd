/**
 * What a page downloads, minified and gzipped. esbuild bundles for browsers: a Node builtin would not resolve. What is
 * imported only when it is needed (the interpreter, the replay of a step that is not finite, emitters of rare operations,
 * what is measured besides the training's loss, weights of losses, what watches the loss, teacher forcing, truncation with
 * k1 < k2, rows of unlike lengths, loops over wide rows, what moves rows by their indices, masks, what says why targets are
 * refused, what recurrent layers draw, updates of several batches, checkpointed steps, streams, threads) is another
 * download.
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
  'masks',
  'refused',
  'packing',
  'lift-rows',
  'row-loops',
  'forcing',
  'noise',
  'sampling',
  'stateful',
  'accumulation',
  'early-stopping',
  'tokens',
  'checkpoint',
  'auto',
  'native/backend',
  'wasm/threaded',
  'stream',
  'moves',
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
    // The target, 60 kB, is missed by what every recurrent layer now knows of noise, shaped inputs and states that go on,
    // and every model of several inputs; what most trainings do without is loaded on demand. This holds what was reached.
    limit: '63 kB',
    ...asModule,
  },
  {
    name: 'the same, and running it',
    import: { '../../dist/index.js': '{ adam, dense, fit, lstm, predict, sequential }' },
    limit: '65.3 kB',
    ...asModule,
  },
  {
    name: 'loading a model and running it',
    import: { '../../dist/index.js': '{ predict }', '../../dist/io/index.js': '{ loadModel }' },
    // Every layer that a file may hold is there.
    limit: '69.2 kB',
    ...asModule,
  },
  {
    name: 'an optimizer alone: what is not imported stays out',
    import: { '../../dist/index.js': '{ adam }' },
    limit: '1.5 kB',
    ...asModule,
  },
]
