/** Adam that leaves alone the rows of a table that a batch does not read. */
import * as build from '../graph/build.ts'
import { isKind, type Node } from '../graph/node.ts'
import { derive, reshape, type Value, where } from '../graph/value.ts'
import { requireKnown } from '../tensor/checks.ts'
import { ADAM, type AdamOptions, adamWith, type Optimizer } from './optimizers.ts'

/**
 * Adam, but of an embedding's table [V, D] only the rows of tokens that the batch holds are updated: θ, m and v of all
 * others stay as they are, where {@link adam} lets m and v fade and θ go on by what is left of m. Bias is corrected by
 * the number of all updates, and the gradients of a token that stands several times are summed before they are squared,
 * as in TensorFlow Addons' LazyAdam. An update costs what the rows cost that are read: see passes/touched-rows.ts.
 *
 * With `accumulate` a row is touched if the gradients summed up so far for it are not all zero, or the last batch reads
 * it. Adam's own update is what parameters have whose gradient is more than rows read: what is no embedding, a table
 * that a dense layer is tied to or that a regularizer holds small, one read within a recurrence. A constraint holds all
 * rows.
 *
 *     fit(net, batches, { loss: 'softmaxCrossEntropy', optimizer: lazyAdam({ learningRate: 0.01 }) })
 *
 * @throws {ArgumentError} for options outside their range
 */
export function lazyAdam(options: AdamOptions = {}): Optimizer {
  requireKnown('lazyAdam', options, ADAM)
  const whole = adamWith('lazyAdam', options, 0)
  return {
    ...whole,
    update: (given) => {
      const { param, slots } = whole.update(given)
      const rows = touchedRows(given.gradient.node, given.param.node)
      if (rows === undefined) return { param, slots }
      const touched = reshape(
        derive([given.gradient], () => rows),
        given.param.shape.map((length, axis) => (axis === 0 ? length : 1)),
      )
      const lazy = (next: Value, old: Value) => where(touched, next, old)
      return {
        param: lazy(param, given.param),
        slots: Object.fromEntries(
          Object.entries(slots).map(([name, next]) => [name, lazy(next, given.slots[name]!)]),
        ),
      }
    },
  }
}

/**
 * Which rows of a table a gradient touches, as bool [V]; undefined where it is more than a sum over rows read. Clipping
 * and means scale it by numbers or bound it on both sides of 0, which leaves zero what is zero.
 */
function touchedRows(gradient: Node, table: Node): Node | undefined {
  if (isKind(gradient, 'scatterAdd')) {
    const indices = gradient.inputs[0]!
    return aboveZero(build.scatterAdd(indices, build.constant(1, indices.shape), gradient.op.rows))
  }
  if (isKind(gradient, 'param') && gradient !== table) {
    // The sum over the batches before this one. The table itself is there where a regularizer is.
    const sizes = build.elementwise('abs', gradient)
    return aboveZero(
      build.reduce(
        'max',
        sizes,
        sizes.shape.map((_, axis) => axis).filter((axis) => axis > 0),
      ),
    )
  }
  if (!isKind(gradient, 'elementwise')) return undefined
  const [a, b] = gradient.inputs as [Node, Node]
  switch (gradient.op.fn) {
    case 'add': {
      const [one, other] = [touchedRows(a, table), touchedRows(b, table)]
      return one && other && build.elementwise('or', one, other)
    }
    case 'mul':
    case 'div':
    case 'min':
    case 'max':
      return isNumber(b) ? touchedRows(a, table) : undefined
    default:
      return undefined
  }
}

function aboveZero(numbers: Node): Node {
  return build.elementwise('less', build.zerosLike(numbers), numbers)
}

/** One number in every element. */
function isNumber({ op, inputs }: Node): boolean {
  return op.kind === 'constant' || (op.kind === 'broadcast' && inputs[0]!.shape.length === 0)
}
