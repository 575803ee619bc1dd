/** Running on: a model's own output is its next input. */
import type { Backend } from '../codegen/compile.ts'
import { type Model, printInput, requireModel } from '../layers/model.ts'
import { requireInteger, requireKnown } from '../tensor/checks.ts'
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { constantOf } from '../tensor/size.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { asTensor, bindInputs, type TensorLike } from './inputs.ts'
import { type InputLike, soleInput } from './padding.ts'
import { pause } from './run.ts'
import { reader } from './stepping.ts'

export interface FreeRunOptions {
  /** S, how many outputs; the first is that of the last step of the inputs. */
  readonly steps: number
  /** [B, S − 1, I − O]: what stands before the output in each further input, where the model reads more than its output. */
  readonly drive?: TensorLike
  readonly backend?: Backend
}

/**
 * f32 [B, S, O]: a model [B, T, I] → [B, T, O] reads the inputs, and from there on its own outputs:
 *
 *     x(T + s) = y(T + s − 1), or [drive(s), y(T + s − 1)] where I > O
 *
 * For a model that was trained on the next value, this is a forecast of any length (Jaeger 2001).
 *
 *     const ahead = await freeRun(net, [series], { steps: 500 })    // series [T, 1], ahead [1, 500, 1]
 *
 * @throws {ArgumentError} for a model whose outputs cannot be its inputs, or that reads backwards
 * @throws {ShapeError} for inputs that do not fit the model, or a drive of another shape
 */
export async function freeRun(model: Model, inputs: InputLike, options: FreeRunOptions): Promise<Tensor> {
  requireModel('freeRun', model)
  requireKnown('freeRun', options, ['steps', 'drive', 'backend'])
  const { steps } = options
  requireInteger('freeRun', 'steps', steps, 1)
  model.requireForward('freeRun')
  const { inputs: x, lengths } = soleInput('freeRun: ', model, inputs, {})
  if (lengths !== undefined) {
    throw new ShapeError(
      'freeRun: rows run on side by side, so their inputs must be equally long; these are not',
    )
  }
  bindInputs(model, x)
  const [read, width] = widths(model)
  const rows = x.shape[0]!
  const drive = driven(options.drive, [rows, steps - 1, read - width])
  const next = await reader(model, rows, options.backend)
  const outputs = new Float32Array(rows * steps * width)
  let y = await next(x.data, x.shape[1]!)
  for (let s = 0; ; s++) {
    // Of each row the last output, of as many as the model gave.
    const [given, own] = [y, y.length / rows]
    const last = Array.from({ length: rows }, (_, b) => given.subarray((b + 1) * own - width, (b + 1) * own))
    for (const [b, values] of last.entries()) outputs.set(values, (b * steps + s) * width)
    if (s === steps - 1) return tensor(outputs, [rows, steps, width])
    await pause()
    y = await next(Float32Array.from(last.flatMap((values, b) => [...drive(b, s), ...values])), 1)
  }
}

/** How many numbers a step reads, and gives. */
function widths({ input, output }: Model): [number, number] {
  const [time, read, ...rest] = input.shape
  const width = constantOf(output.shape.at(-1)!) ?? Number.POSITIVE_INFINITY
  if (
    input.dtype === 'f32' &&
    time === null &&
    rest.length === 0 &&
    typeof read === 'number' &&
    read >= width
  ) {
    return [read, width]
  }
  throw new ArgumentError(
    `freeRun: expected a model of sequences [B, T, I] whose O ≤ I outputs can be inputs; ` +
      `received ${printInput(input)} → ${width} outputs`,
  )
}

/** What stands before the output in row b's input after output s. */
function driven(given: TensorLike | undefined, shape: readonly [number, number, number]) {
  const [, steps, width] = shape
  if (given === undefined && (width === 0 || steps === 0)) return () => []
  const drive = given === undefined ? undefined : asTensor(given, 'f32')
  if (drive?.dtype !== 'f32' || String(drive.shape) !== String(shape)) {
    throw new ShapeError(
      `freeRun: the model reads ${width} numbers a step besides its output, so drive must be f32 [${shape.join(', ')}]; ` +
        `received ${drive === undefined ? 'none' : `${drive.dtype} [${drive.shape.join(', ')}]`}`,
    )
  }
  return (b: number, s: number) => drive.data.subarray((b * steps + s) * width, (b * steps + s + 1) * width)
}
