/** Readouts in closed form: the last layer of a model by least squares, all before it as it is. */
import type { Backend } from '../codegen/compile.ts'
import { Dense } from '../layers/dense.ts'
import { type Model, requireModel } from '../layers/model.ts'
import { sequential } from '../layers/sequential.ts'
import { requireInteger, requireKnown, requireNumber, requireSeed } from '../tensor/checks.ts'
import { solveInPlace } from '../tensor/cholesky.ts'
import { dot } from '../tensor/dot.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { asLong, isTensor, pad, type Sequence } from '../tensor/padding.ts'
import { fillNormal, streamOf } from '../tensor/random.ts'
import { evaluateSize } from '../tensor/size.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import { asTensor, bindInputs, type TensorLike, type Time } from './inputs.ts'
import { lengthsOf, maskOf } from './masks.ts'
import { type InputLike, soleInput } from './padding.ts'
import { predict } from './predict.ts'

export interface ReadoutOptions {
  /** λ, of at least 0; more where outputs that run on grow out of bounds. Default: 1e-6. */
  readonly ridge?: number
  /** How many steps at the beginning of each row are left out, while the states still tell of zeros. Default: 0. */
  readonly washout?: number
  /** The deviation of normal noise that is added to the inputs: an output that is fed back will err, too. Default: 0. */
  readonly noise?: number
  /** For numbers that the model does not have yet, and the noise. Default: 0. */
  readonly seed?: number
  readonly lengths?: TensorLike
  /** As in `predict`: which steps are there. */
  readonly mask?: InputLike
  readonly backend?: Backend
}

/**
 * Solves a model's last layer, y = h V + c, for what the layers before it make of the inputs, h:
 *
 *     V, c = argmin Σ ‖h V + c − y‖² + λ ‖V‖²
 *
 * over all steps (or rows) that are there but the first `washout`; in f64, by Cholesky of the normal equations around the
 * means. Nothing else changes. So is an echo state network trained (Jaeger 2001; ridge: Lukoševičius 2012).
 *
 * @param inputs as in `predict`
 * @param targets of the output's shape: a tensor [B, T, O] or [B, O], or a list of as many sequences [T, O]
 * @throws {ArgumentError} where the last layer is no dense layer without activation that owns its weights
 * @throws {ShapeError} for inputs or targets that do not fit the model
 * @throws {DataError} for a washout that leaves nothing, a number that is not finite, features that depend on each other where λ is 0
 */
export async function fitReadout(
  model: Model,
  inputs: InputLike,
  targets: InputLike,
  options: ReadoutOptions = {},
): Promise<void> {
  requireModel('fitReadout', model)
  requireKnown('fitReadout', options, ['ridge', 'washout', 'noise', 'seed', 'lengths', 'mask', 'backend'])
  const { ridge = 1e-6, washout = 0, noise = 0, seed = 0, backend } = options
  requireNumber('fitReadout', 'ridge', ridge, 'of at least 0')
  requireInteger('fitReadout', 'washout', washout, 0)
  requireNumber('fitReadout', 'noise', noise, 'of at least 0')
  requireSeed('fitReadout', seed)
  const { name, layer } = readoutOf(model)
  const { lengths, mask } = options
  const padded = soleInput('fitReadout: ', model, inputs, {
    ...(lengths && { lengths }),
    ...(mask && { mask }),
  })
  const bindings = bindInputs(model, padded.inputs)
  const { sequence, shape: open } = model.output
  const sizes = [bindings.get('B')!, ...open.map((size) => evaluateSize(size, bindings))]
  const y = targetsOf(sizes, targets, padded)
  const weights = model.weights(seed)
  const states = await predict(before(model), noisy(padded.inputs, noise, seed), {
    ...(padded.lengths && { lengths: padded.lengths }),
    ...(padded.mask && { mask: padded.mask }),
    ...(backend && { backend }),
  })
  const used = usedSteps(padded, sequence, washout)
  const [h, goal] = [columnsOf(states, used), columnsOf(y, used)]
  const centers = layer.options.useBias ? [h, goal].map((columns) => columns.map(centered)) : undefined
  const gram = h.map((column, i) => Float64Array.from({ length: i + 1 }, (_, j) => dot(column, h[j]!)))
  for (const [i, row] of gram.entries()) row[i]! += ridge
  const V = goal.map((column) => Float64Array.from(h, (feature) => dot(feature, column)))
  if (!solveInPlace(gram, V) || !V.every((column) => column.every(Number.isFinite))) {
    throw new DataError(
      `fitReadout: ${h.length} features over ${used.length} steps leave the readout open, or a number is not finite: give ` +
        `more steps or a larger ridge; received ${ridge}`,
    )
  }
  const next = new Map(weights)
  const shape = [h.length, V.length]
  next.set(
    `${name}/V`,
    tensor(
      Float32Array.from(
        { length: elementCount(shape) },
        (_, at) => V[at % V.length]![Math.floor(at / V.length)]!,
      ),
      shape,
    ),
  )
  if (centers !== undefined) {
    const mean = Float64Array.from(centers[0]!)
    next.set(`${name}/c`, tensor(Float32Array.from(centers[1]!, (goal, o) => goal - dot(mean, V[o]!))))
  }
  model.setWeights(next)
}

function readoutOf({ calls }: Model): { readonly name: string; readonly layer: Dense } {
  const { name, layer } = calls.at(-1)!
  if (calls.length > 1 && layer instanceof Dense) {
    const { activation, tiedTo } = layer.options
    if (activation === 'linear' && tiedTo === undefined) return { name, layer }
  }
  throw new ArgumentError(
    `fitReadout: expected a model that ends in a dense layer of its own weights, without activation, after other layers; ` +
      `received ${calls.map((each) => each.name).join(', ')}`,
  )
}

/** The model without its last layer, whose names and numbers are the same. */
function before(model: Model): Model {
  const layers = model.calls.slice(0, -1).map(({ layer }) => layer)
  const first = sequential(layers, { input: model.input })
  const { params, variables } = first.built
  const weights = model.weights()
  first.setWeights(new Map([...params.keys(), ...variables.keys()].map((path) => [path, weights.get(path)!])))
  return first
}

function targetsOf(shape: readonly number[], targets: InputLike, { inputs, ...there }: Time): Tensor {
  const isList = Array.isArray(targets) && targets.some(isTensor)
  const isRagged = there.lengths !== undefined && Array.isArray(targets)
  const advice = 'Give one target a step.'
  const y =
    shape.length === 3 && (isList || isRagged)
      ? pad(asLong('targets', targets as readonly Sequence[], lengthsOf({ inputs, ...there }), advice, 'f32'))
      : asTensor(targets as TensorLike, 'f32')
  if (y.dtype === 'f32' && String(y.shape) === String(shape)) return y
  throw new ShapeError(
    `fitReadout: expected targets f32 [${shape.join(', ')}], as the model's output; received ${y.dtype} [${y.shape.join(', ')}]`,
  )
}

function noisy(inputs: Tensor, deviation: number, seed: number): Tensor {
  if (deviation === 0) return inputs
  if (inputs.dtype !== 'f32')
    throw new ArgumentError('fitReadout: noise expects inputs of f32; received tokens')
  const noise = new Float32Array(inputs.data.length)
  fillNormal(noise, seed, streamOf('fitReadout'), 0, deviation)
  return { ...inputs, data: noise.map((value, i) => value + inputs.data[i]!) }
}

/** Which of the B · T steps, or of the rows, the readout is fitted to. */
function usedSteps(padded: Time, sequence: boolean, washout: number): number[] {
  const rows = padded.inputs.shape[0]!
  if (!sequence) {
    if (washout === 0) return Array.from({ length: rows }, (_, row) => row)
    throw new ArgumentError(
      'fitReadout: washout expects a model with an output for every step; this one has the last alone',
    )
  }
  const there = maskOf(padded)
  const used: number[] = []
  let seen = 0
  for (const [at, present] of there.entries()) {
    if (at % (there.length / rows) === 0) seen = 0
    if (present && seen++ >= washout) used.push(at)
  }
  if (used.length > 0) return used
  throw new DataError(`fitReadout: a washout of ${washout} steps leaves none of the ${there.length / rows}`)
}

/** The last axis as columns in f64, over those rows. */
function columnsOf({ data, shape }: Tensor, rows: readonly number[]): Float64Array[] {
  const width = shape.at(-1)!
  return Array.from({ length: width }, (_, i) => Float64Array.from(rows, (row) => data[row * width + i]!))
}

/** Takes a column's mean from it, and says what it was. */
function centered(column: Float64Array): number {
  const mean = column.reduce((sum, value) => sum + value, 0) / column.length
  for (const i of column.keys()) column[i]! -= mean
  return mean
}
