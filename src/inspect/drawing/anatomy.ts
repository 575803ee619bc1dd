/** What a model is made of, found by tracing it: its calls, what they read, the recurrences in them and their states. */
import { type Node, topological } from '../../graph/node.ts'
import { scan } from '../../graph/scan.ts'
import type { Value } from '../../graph/value.ts'
import { Conv1d } from '../../layers/conv1d.ts'
import type { Fold, Layer } from '../../layers/layer.ts'
import type { Model } from '../../layers/model.ts'
import type { Call, Called, Source } from '../../layers/parts.ts'
import { Pooling } from '../../layers/pooling.ts'
import { tracedFor } from '../../layers/reading.ts'
import type { Sliding } from '../../layers/sliding.ts'
import type { Size } from '../../tensor/size.ts'
import { facesOf, leafScope, leafSpecs } from '../../train/leaves.ts'
import { traceNamed } from '../../train/session.ts'
import { type Products, productsOf } from './products.ts'

export interface State {
  readonly name: string
  /** What it begins with. */
  readonly begins: 'zeros' | 'learnt' | 'kept' | 'given'
  /** A step reads what the step before made of it. */
  readonly isRead: boolean
  /** It is the output that goes back into the next step. */
  readonly isFed: boolean
  /** What it is multiplied by when it is read. */
  readonly weights: readonly string[]
}

/** A step that is folded through time. */
export interface Recurrence {
  /** '' or which part of the layer: 'forward'. */
  readonly part: string
  readonly reverse: boolean
  readonly steps: Size
  readonly states: readonly State[]
  /** What multiplies neither what it reads nor a state, but what it makes of both. */
  readonly inner: readonly string[]
  readonly node: Node
}

/** What a call reads. */
export interface Reading {
  readonly source: Source
  /** Of each step it reads what stands there, or all steps, or those under a window. */
  readonly steps: 'each' | 'all' | Sliding
  /** What that is multiplied by. */
  readonly weights: readonly string[]
}

export interface Part {
  readonly call: Call
  readonly reads: readonly Reading[]
  readonly recurrences: readonly Recurrence[]
  /** How many steps what it yields has; undefined without time. */
  readonly steps: Size | undefined
  /** What of it is yielded: the recurrences that a further output, or the output (undefined), is made of. */
  yields(
    part: string | undefined,
  ): { readonly from: readonly Recurrence[]; readonly steps: Size | undefined } | undefined
}

/** Traced as it runs, on whole sequences and outside of training. */
export function anatomyOf(model: Model): Part[] {
  const leaves = { training: false, carry: [] }
  let parts: Part[] = []
  traceNamed(leafSpecs(model, leaves), (get) => {
    const weights = new Map<Node, string>()
    for (const path of [...model.built.params.keys(), ...model.built.variables.keys()]) {
      weights.set(get(path).node, path)
    }
    const folds = new Map<string, Folded[]>()
    const scope = { ...leafScope(get, leaves), fold: watched(folds, weights) }
    const { calls, outputs } = model.forward(facesOf(model, get, {}), scope)
    parts = model.calls.map((call, i) => partOf(model, call, calls[i]!, folds.get(call.name) ?? [], weights))
    return { outputs: Object.fromEntries([...outputs].map(([name, { value }]) => [name, value])) }
  })
  return parts
}

/** A fold that was watched. */
interface Folded {
  readonly prefix: string
  readonly reverse: boolean
  readonly steps: Size
  /** Names of the states that were carried in. */
  readonly names: readonly string[]
  readonly begins: Readonly<Record<string, Value>>
  readonly xs: Readonly<Record<string, Value>>
  readonly products: Products
  /** Where states and inputs stand in the step. */
  readonly params: readonly Node[]
  readonly node: Node
}

/** A plain scan, remembered by the call that asked for it. Masks, which would make every state one that is read, are left out. */
function watched(folds: Map<string, Folded[]>, weights: ReadonlyMap<Node, string>): Fold {
  return (options, { value }, { prefix }, stepFor) => {
    const result = scan(options, stepFor(value.shape[1]!))
    const [names, ys] = [Object.keys(options.carry), Object.keys(result.ys)]
    const node = result.ys[ys[0]!]!.node.inputs[0]!
    const { op } = node
    if (op.kind !== 'scan') throw new Error('a fold is a scan')
    const { params, outputs } = op.body
    const consts = params.length - op.consts
    const own = new Map<Node, string>()
    for (const [i, param] of params.slice(consts).entries()) {
      const inside = topological([node.inputs[consts + i]!]).find((each) => weights.has(each))
      if (inside !== undefined) own.set(param, weights.get(inside)!)
    }
    const read = new Set<Node>(params.slice(0, consts))
    const products = productsOf(outputs.slice(0, names.length + ys.length), read, own)
    const known = folds.get(prefix.slice(0, prefix.indexOf('/'))) ?? []
    folds.set(prefix.slice(0, prefix.indexOf('/')), known)
    known.push({
      ...{ prefix, reverse: options.reverse, steps: op.steps, products, params, node },
      ...{ names, begins: options.carry, xs: options.xs },
    })
    return result
  }
}

function partOf(
  model: Model,
  call: Call,
  { inputs, output, states }: Called,
  folds: readonly Folded[],
  weights: ReadonlyMap<Node, string>,
): Part {
  const { layer } = call
  const around = productsOf([output.value.node], new Set(inputs.map(({ value }) => value.node)), weights)
  const short = (paths: Iterable<string>, part = '') => {
    const start = `${call.weights}/`
    const names = [...paths].map((path) => (path.startsWith(start) ? path.slice(start.length) : path))
    return names.map((name) => (name.startsWith(`${part} `) ? name.slice(part.length + 1) : name))
  }
  const cells = cellsOf(layer)
  const recurrences = folds.map((fold, i): Recurrence => {
    const part = fold.prefix.slice(call.name.length + 1).trim()
    const fed = cells[i] && tracedFor(cells[i], Object.values(fold.xs).slice(0, inputs.length)).feedback
    const paths = fold.names.filter((name) => states.has(part === '' ? name : `${part} ${name}`))
    return {
      ...{ part, reverse: fold.reverse, steps: fold.steps, node: fold.node },
      inner: short(fold.products.inner, part),
      states: paths.map((name) => {
        const node = fold.params[fold.names.indexOf(name)]!
        const begin = topological([fold.begins[name]!.node])
        const isLearnt = begin.some((each) => weights.has(each))
        const own = layer.stateful === true ? 'kept' : isLearnt ? 'learnt' : 'zeros'
        return {
          ...{ name, isFed: name === fed, isRead: fold.products.read.has(node) },
          begins: model.built.given.has(`${fold.prefix}${name}`) ? 'given' : own,
          weights: short(fold.products.of.get(node)!, part),
        }
      }),
    }
  })
  const isAll = (i: number) => {
    const input = inputs[i]!
    if (!input.sequence) return false
    if (layer.readsAround === 'others' ? i > 0 : layer.readsAround === true) return true
    return (
      recurrences.length === 0 &&
      input.value.shape[0] !== (output.sequence ? output.value.shape[0] : undefined)
    )
  }
  const reads = call.from.map((source, i): Reading => {
    const inFolds = folds.flatMap(({ names, params, products, prefix }) => {
      const multiplied = products.of.get(params[names.length + i]!) ?? []
      return short(multiplied, prefix.slice(call.name.length + 1).trim())
    })
    // Where there are folds, what their scans read is known better from their steps.
    const outside = folds.length > 0 ? [] : short(around.of.get(inputs[i]!.value.node)!)
    const steps = isAll(i) ? (windowOf(layer) ?? 'all') : 'each'
    return { source, steps, weights: [...new Set([...inFolds, ...outside])] }
  })
  const steps = output.sequence ? output.value.shape[0] : undefined
  return {
    ...{ call, reads, recurrences, steps },
    yields: (name) => {
      const signal = name === undefined ? output : output.others?.[name]
      if (signal === undefined) return undefined
      const nodes = new Set(topological([signal.value.node]))
      return {
        from: recurrences.filter(({ node }) => nodes.has(node)),
        steps: signal.sequence ? signal.value.shape[0] : undefined,
      }
    },
  }
}

/** The cells that a layer, or one around others, folds. */
function cellsOf(layer: Layer): NonNullable<Layer['cells']> {
  if (layer.cells !== undefined) return layer.cells
  return 'layer' in layer ? cellsOf(layer.layer as Layer) : []
}

function windowOf(layer: Layer): Sliding | undefined {
  if (layer instanceof Conv1d) {
    const { kernelSize: size, strides, padding, dilationRate: dilation } = layer.options
    return { size, strides, padding, dilation }
  }
  if (!(layer instanceof Pooling)) return undefined
  const { poolSize: size, strides, padding } = layer.options
  return { size, strides: strides ?? size, padding, dilation: 1 }
}

/** Names within a part bear the part's: 'forward h'. */
export const fullName = (part: string, name: string): string => [part, name].filter(Boolean).join(' ')
