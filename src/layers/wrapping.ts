/** What layers around another layer share. */
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, sameShape } from '../tensor/size.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'
import { aligned } from './merging.ts'

/** @throws {ArgumentError} for what is no layer */
export function requireLayer(what: string, layer: Layer): void {
  if (typeof layer === 'object' && typeof layer?.apply === 'function') return
  throw new ArgumentError(
    `${what}: expected a layer such as lstm({ units: 8 }); received ${typeof layer} (a cell needs recurrent(cell) around it)`,
  )
}

/** What a layer inside another one asks for bears its part's name. */
export function within(scope: LayerScope, part: string): LayerScope {
  return {
    ...scope,
    prefix: `${scope.prefix}${part} `,
    param: (name, parameter) => scope.param(`${part} ${name}`, parameter),
    variable: (name, parameter) => scope.variable(`${part} ${name}`, parameter),
    next: (name, value) => scope.next(`${part} ${name}`, value),
    random: (name) => scope.random(`${part} ${name}`),
    initial: (name, begin) => scope.initial(`${part} ${name}`, begin),
    final: (name, value) => scope.final(`${part} ${name}`, value),
  }
}

/**
 * A layer's input and its output, lying alike.
 * @throws {ShapeError} where the layer does not keep the shape
 */
export function kept(
  what: string,
  layer: Layer,
  input: Signal,
  scope: LayerScope,
): readonly [Signal, Signal] {
  const output = layer.apply(input, scope)
  if (input.sequence === output.sequence) {
    const [x, y] = aligned(what, [input, output]) as [Signal, Signal]
    if (sameShape(x.value.shape, y.value.shape)) return [x, y]
  }
  throw new ShapeError(
    `${what}: ${layer.kind} must keep the shape of its input, ${printShape(input.value.shape)}; it makes ` +
      `${printShape(output.value.shape)}${input.sequence && !output.sequence ? ' (does it need returnSequences: true?)' : ''}`,
  )
}
