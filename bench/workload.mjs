/**
 * The work that every contender does, and the sizes it is done at.
 *
 * One training step of a single recurrent layer over whole sequences, in f32:
 *
 *     x [B, T, I] ──cell(H), zero initial state──▶ h_T [B, H] ──dense──▶ logits [B, CLASSES]
 *     L = mean over B of softmaxCrossEntropy(logits, label)
 *     g = ∂L/∂(all weights) through all T steps; no gradient for x
 *     g ← g · min(1, CLIP / ‖g‖), one norm over all weights
 *     Adam(LEARNING_RATE, 0.9, 0.999, 1e-8)
 *
 * All four parts belong to the step and none may be left out or put off. Each contender holds one fixed
 * batch, made before the clock starts, so that no time goes into data. The initial weights are each
 * library's own: they do not change the time.
 *
 * Inference is the first of these lines, of all steps at once (infer) or of one step a call, the state kept (stream).
 */

/** @typedef {{ T: number, B: number, I: number, H: number }} Shape time steps, batch, inputs, units */
/** @typedef {keyof typeof GATES} Cell */
/** @typedef {'train' | 'infer' | 'stream'} Kind */
/** @typedef {{ kind: Kind, cell: Cell, shape: Shape }} Work */

export const CLASSES = 10
export const CLIP = 1
export const LEARNING_RATE = 1e-3

/** @type {Shape[]} the first is the one that every peer runs by default */
export const SHAPES = [
  { T: 28, B: 64, I: 28, H: 128 },
  { T: 50, B: 32, I: 16, H: 64 },
  { T: 100, B: 16, I: 32, H: 32 },
  { T: 100, B: 64, I: 128, H: 256 },
]

/** Of `core`: what costs are taken at, and comparisons of Recurra with itself. */
export const LARGEST = SHAPES[SHAPES.length - 1]

/** What the suite `grid` trains at. @type {Shape[]} */
export const GRID_SHAPES = [...SHAPES, { T: 50, B: 64, I: 512, H: 512 }, { T: 100, B: 1, I: 64, H: 128 }]

/**
 * @param {Shape[] | 'all' | undefined} chosen
 * @param {Shape[]} own of a suite
 * @returns {Shape[]}
 */
export function shapesOf(chosen, own) {
  return Array.isArray(chosen) ? chosen : own
}

/** What it runs whole sequences at, and one step a call. */
export const INFER_SHAPES = [SHAPES[0], LARGEST, GRID_SHAPES[GRID_SHAPES.length - 1]]
export const STREAM_SHAPE = { T: 1, B: 1, I: 64, H: 128 }

/**
 * Cells, and how many blocks of H columns the products of a step have. The last three are written by a user: through
 * defineCell, and in PyTorch as a step function and a loop.
 */
export const GATES = { lstm: 4, gru: 3, elman: 1, minimalGated: 2, layerNormLstm: 4, userLstm: 4 }

/** @type {Cell[]} those of the suite `grid` */
export const GRID_CELLS = ['lstm', 'gru', 'elman', 'minimalGated', 'layerNormLstm']

/** @param {Work} work @returns {number} of its products, a multiply-add being two; the gradient has twice the forward's */
export function flopsOf({ kind, cell, shape: { T, B, I, H } }) {
  return (kind === 'train' ? 3 : 1) * 2 * T * B * GATES[cell] * H * (I + H)
}

/** @param {Shape} shape @returns {string} such as T28B64I28H128, the form that `parseShape` reads */
export function shapeName({ T, B, I, H }) {
  return `T${T}B${B}I${I}H${H}`
}

/**
 * @param {string} text such as T28B64I28H128; spaces, dashes and commas between the parts are ignored
 * @returns {Shape | undefined} nothing if the text is no shape
 */
export function parseShape(text) {
  const match = /^T([1-9]\d*)B([1-9]\d*)I([1-9]\d*)H([1-9]\d*)$/i.exec(text.replace(/[\s,-]/g, ''))
  if (!match) return undefined
  const [T, B, I, H] = match.slice(1).map(Number)
  return { T, B, I, H }
}

/** @param {number} seed @returns {() => number} uniform in [0, 1) (mulberry32) */
function uniform(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let z = Math.imul(state ^ (state >>> 15), state | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32
  }
}

/** @param {Shape} shape @returns {Int32Array} [B] lengths, uniform in 1 … T */
export function makeLengths({ T, B }) {
  const next = uniform(2)
  return Int32Array.from({ length: B }, () => 1 + Math.floor(next() * T))
}

/**
 * The batch that contenders inside this process train on.
 *
 * @param {Shape} shape
 * @returns {{ x: Float32Array, labels: Int32Array }} x [B, T, I] in [-1, 1), labels [B] in 0 … CLASSES - 1
 */
export function makeBatch({ T, B, I }) {
  const next = uniform(1)
  const x = Float32Array.from({ length: B * T * I }, () => 2 * next() - 1)
  const labels = Int32Array.from({ length: B }, () => Math.floor(next() * CLASSES))
  return { x, labels }
}
