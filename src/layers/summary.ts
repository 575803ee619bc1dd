/** A model as a table for people. */
import { printShape, symbol } from '../tensor/size.ts'
import { elementCount } from '../tensor/tensor.ts'
import { type Model, printInput, requireModel } from './model.ts'
import type { Built } from './parts.ts'

/** A table of layers, shapes and numbers of parameters; variables, which are not trained, are counted apart at its end. */
export function summary(model: Model): string {
  requireModel('summary', model)
  const { params, variables, calls, inputs } = model.built
  const count = (leaves: Built['params'], start: string) =>
    [...leaves].reduce(
      (sum, [path, { shape }]) => sum + (path.startsWith(start) ? elementCount(shape) : 0),
      0,
    )
  const both = (start: string) => String(count(params, start) + count(variables, start))
  const rows = [
    ['layer', 'output', 'parameters'],
    ...[...inputs].map(([name, spec]) => [inputs.size === 1 ? 'input' : name, printInput(spec, false), '0']),
    ...model.calls.map(({ name }, i) => [
      name,
      printShape([symbol('B'), ...calls[i]!.output.shape]),
      both(`${name}/`),
    ]),
    ['total', '', both('')],
    ...(variables.size === 0
      ? []
      : [
          ['trainable', '', String(count(params, ''))],
          ['non-trainable', '', String(count(variables, ''))],
        ]),
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map(([a, b, c]) => `${a!.padEnd(widths[0]!)}  ${b!.padEnd(widths[1]!)}  ${c!.padStart(widths[2]!)}`)
    .join('\n')
}
