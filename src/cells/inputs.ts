/**
 * What a cell reads of one step: a row of features, or values of any shapes, one or several by name. A cell declares how
 * many axes each has; it is traced for their sizes.
 */
import type { Value } from '../graph/value.ts'
import { requireUnits } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { constantOf, type Shape } from '../tensor/size.ts'

/** How many axes what a step reads has, besides the batch's: of the one input, or of each by its name. */
export type InputAxes = number | Readonly<Record<string, number>>

/** What a cell is traced for, without batch and time: the number of features, a shape, or several by name. */
export type InputShape = number | readonly number[] | Readonly<Record<string, readonly number[]>>

/** As many sizes as there are axes. */
type Sizes<N extends number, L extends number[] = []> = number extends N
  ? readonly number[]
  : L['length'] extends N
    ? Readonly<L>
    : Sizes<N, [...L, number]>

/** What a declaration's functions are told of the inputs. */
export type InputSizes<A extends InputAxes | undefined> = A extends number
  ? Sizes<A>
  : A extends Readonly<Record<string, number>>
    ? { readonly [K in keyof A]: Sizes<A[K]> }
    : number

/** What a step is given as x. */
export type InputValues<A extends InputAxes | undefined> =
  A extends Readonly<Record<string, number>> ? { readonly [K in keyof A]: Value } : Value

/** Inputs by name, in order: of a single one it is x. */
export function inputShapes(inputs: InputShape): (readonly [name: string, shape: readonly number[]])[] {
  if (isShape(inputs)) return [['x', inputs]]
  return typeof inputs === 'number' ? [['x', [inputs]]] : Object.entries(inputs)
}

export function inputAxes(axes: InputAxes | undefined): (readonly [name: string, axes: number])[] {
  return typeof axes === 'object' ? Object.entries(axes) : [['x', axes ?? 1]]
}

/** Whether inputs come by name, so that x is a record. */
export function areNamed(inputs: InputShape): inputs is Readonly<Record<string, readonly number[]>> {
  return typeof inputs === 'object' && !isShape(inputs)
}

function isShape(inputs: InputShape): inputs is readonly number[] {
  return Array.isArray(inputs)
}

/** '3 inputs', 'inputs [8, 8, 1]', 'inputs { video: [8, 8, 1], audio: [3] }' */
export function printInputs(inputs: InputShape): string {
  if (typeof inputs === 'number') return `${inputs} inputs`
  const shapes = inputShapes(inputs).map(([name, shape]) => [name, `[${shape.join(', ')}]`] as const)
  if (!areNamed(inputs)) return `inputs ${shapes[0]![1]}`
  return `inputs { ${shapes.map(([name, shape]) => `${name}: ${shape}`).join(', ')} }`
}

/** What a cell of these axes is traced for, where the last axes of what it reads have known sizes. */
export function inputsOf(axes: InputAxes | undefined, shapes: readonly Shape[]): InputShape {
  const named = inputAxes(axes).map(([name, count], i) => {
    const { length } = shapes[i]!
    return [name, shapes[i]!.slice(length - count).map((size) => constantOf(size)!)] as const
  })
  const [, first] = named[0]!
  if (typeof axes === 'object') return Object.fromEntries(named)
  return axes === undefined ? first[0]! : first
}

/** @throws {ArgumentError} for what are no numbers of axes */
export function requireAxes(axes: InputAxes | undefined): void {
  const all = axes === null ? [] : inputAxes(axes)
  const fits = ([name, count]: readonly [string, number]) =>
    /^[A-Za-z_]\w*$/.test(name) && Number.isSafeInteger(count) && count >= 1
  if (all.length > 0 && all.every(fits)) return
  throw new ArgumentError(
    'defineCell: inputs must be a number of axes, such as 3 for frames [rows, columns, channels], or numbers by name in words, ' +
      `{ video: 3, audio: 1 }; received ${JSON.stringify(axes)}`,
  )
}

/**
 * The sizes, in the order in which the cell declares them.
 * @throws {ArgumentError} for those of which it has not declared that
 */
export function requireInputs(cell: string, axes: InputAxes | undefined, inputs: InputShape): InputShape {
  if (axes === undefined) {
    requireUnits(`cell ${cell}`, inputs as number, 'inputs')
    return inputs
  }
  const given = new Map<string, unknown>(
    typeof axes === 'number' ? [['x', inputs]] : Object.entries(inputs ?? {}),
  )
  const declared = inputAxes(axes)
  const fits = declared.every(([name, count]) => {
    const sizes = given.get(name)
    return (
      Array.isArray(sizes) &&
      sizes.length === count &&
      sizes.every((size) => Number.isSafeInteger(size) && size >= 1)
    )
  })
  if (fits && given.size === declared.length) {
    return typeof axes === 'number'
      ? inputs
      : (Object.fromEntries(declared.map(([name]) => [name, given.get(name)])) as InputShape)
  }
  const expected = declared.map(([name, count]) => `${count} of ${name}`).join(', ')
  throw new ArgumentError(
    `cell ${cell}: expected sizes of at least 1, ${expected}; received ${JSON.stringify(inputs)}`,
  )
}
