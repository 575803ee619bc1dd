/**
 * Tracing: an ordinary function runs once on symbolic values and leaves a closed graph. A body traced inside another
 * trace (a scan's) may name values of the outer one: they become its constants, so bodies are closed.
 */
import type { Dtype } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { type Shape, type SizeLike, shapeOf } from '../tensor/size.ts'
import { param } from './build.ts'
import { collectGuards } from './guards.ts'
import { type Graph, makeGraph, type Node, type ParamNode, topological } from './node.ts'
import { type Scope, Value } from './value.ts'

/** One function being traced. */
class Trace implements Scope {
  readonly parent: Trace | undefined
  readonly depth: number
  readonly params: ParamNode[] = []
  readonly names: string[] = []
  /** Outer values that this trace has taken in as constants, with the parameter that stands for each. */
  readonly captured = new Map<Node, { readonly outer: Value; readonly inner: Value }>()

  constructor(parent: Trace | undefined) {
    this.parent = parent
    this.depth = parent === undefined ? 0 : parent.depth + 1
  }

  addParam(shape: Shape, dtype: Dtype, name: string): Value {
    const node = param(this.params.length, shape, dtype)
    this.params.push(node)
    this.names.push(name)
    return new Value(node, this)
  }

  /** The value as this trace sees it. */
  lift(value: Value): Value {
    if (value.trace === this || value.trace === undefined) return value
    if (value.trace.depth >= this.depth || this.parent === undefined) {
      throw new ArgumentError(
        'a value of another trace was used: values live only inside the function that made them',
      )
    }
    const outer = this.parent.lift(value)
    const known = this.captured.get(outer.node)
    if (known !== undefined) return known.inner
    const inner = this.addParam(outer.node.shape, outer.node.dtype, 'const')
    this.captured.set(outer.node, { outer, inner })
    return inner
  }

  requireNoOtherPath(value: Value): void {
    if (value.trace === this || value.trace === undefined || this.parent === undefined) return
    const outer = this.parent.lift(value).node
    const others = [...this.captured.keys()].filter((node) => node !== outer)
    if (topological(others).includes(outer)) {
      throw new ArgumentError(
        'gradient: inside a step, the loss depends on an outer value through other outer values, which are constants there; ' +
          'compute those inside the step, or take the gradient outside',
      )
    }
  }
}

let current: Trace | undefined

export interface ParamSpec {
  readonly shape: readonly (SizeLike | string)[]
  readonly dtype?: Dtype
  readonly name?: string
}

export interface Traced<R> {
  readonly graph: Graph
  readonly result: R
  /** Outer values that the body named, in the order of its last parameters. */
  readonly captured: readonly Value[]
}

/** Runs `build` in a new trace; `outputsOf` picks the graph's outputs from what it returned. */
export function traceWith<R>(
  specs: readonly ParamSpec[],
  build: (params: readonly Value[]) => R,
  outputsOf: (result: R) => readonly Value[],
): Traced<R> {
  const trace = new Trace(current)
  const outer = current
  current = trace
  try {
    const { result: built, guards } = collectGuards(() => {
      const params = specs.map((spec, i) =>
        trace.addParam(shapeOf(spec.shape), spec.dtype ?? 'f32', spec.name ?? `p${i}`),
      )
      const result = build(params)
      const outputs = outputsOf(result)
      if (!Array.isArray(outputs) || !outputs.every((output) => output instanceof Value)) {
        throw new ArgumentError('a traced function must return an array of symbolic values')
      }
      return { result, outputs: outputs.map((output) => trace.lift(output).node) }
    })
    const graph = makeGraph(trace.params, built.outputs, trace.names, guards)
    return { graph, result: built.result, captured: [...trace.captured.values()].map(({ outer }) => outer) }
  } finally {
    current = outer
  }
}

/**
 * Traces a function of symbolic values to a graph.
 *
 *     trace([{ shape: ['B', 3] }, { shape: [3, 4] }], (x, U) => [x.matmul(U).tanh()])
 */
export function trace(specs: readonly ParamSpec[], build: (...params: Value[]) => readonly Value[]): Graph {
  const traced = traceWith(
    specs,
    (params) => build(...params),
    (outputs) => outputs,
  )
  if (traced.captured.length > 0)
    throw new ArgumentError('trace: the function names values of an outer trace')
  return traced.graph
}
