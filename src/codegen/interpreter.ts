/** The oracle as a backend: slow, in f64, one operation at a time. */
import { interpret } from '../graph/interpret.ts'
import type { Graph, Node } from '../graph/node.ts'
import { allocate, type TensorData } from '../tensor/dtype.ts'
import { type Bindings, evaluateSize, productOf } from '../tensor/size.ts'
import { type Call, checkInput, type Executable, neverWritten, type Steady } from './executable.ts'

export class InterpreterExecutable implements Executable {
  readonly backend = 'interpret'
  readonly #graph: Graph
  readonly #donated: ReadonlyMap<number, number>
  readonly #inputs = new Map<number, TensorData>()

  constructor(graph: Graph, donated: ReadonlyMap<number, number>) {
    this.#graph = graph
    this.#donated = donated
  }

  async call({ bindings, inputs, outputs }: Call): Promise<TensorData[]> {
    for (const [i, data] of inputs) {
      checkInput(this.#face(i), data, bindings)
      this.#inputs.set(i, data.slice())
    }
    const args = this.#graph.params.map((param, i) => {
      const data = this.#inputs.get(i)
      if (data === undefined) throw neverWritten(this.#face(i))
      return { data: Float64Array.from(data), shape: param.shape.map((size) => evaluateSize(size, bindings)) }
    })
    const results = interpret(this.#graph, args, bindings).map(({ data }, i) =>
      this.#graph.outputs[i]!.dtype === 'f32' ? Float32Array.from(data) : Int32Array.from(data),
    )
    for (const [output, input] of this.#donated) this.#inputs.set(input, results[output]!)
    return outputs.map((i) => results[i]!.slice())
  }

  async read(input: number): Promise<TensorData> {
    const data = this.#inputs.get(input)
    if (data === undefined) throw neverWritten(this.#face(input))
    return data.slice()
  }

  memoryBytes(bindings: Bindings): number {
    return this.#graph.params.reduce(
      (sum, { shape }) => sum + 8 * evaluateSize(productOf(shape), bindings),
      0,
    )
  }

  #face(i: number) {
    const { shape, dtype } = this.#graph.params[i]!
    return { name: this.#graph.names[i] ?? `p${i}`, shape, dtype }
  }
}

/** A graph whose sizes are numbers. It computes everything at every run. */
export function interpretSteady(graph: Graph, donate: ReadonlyMap<number, number>): Steady {
  const bindings: Bindings = new Map()
  const own = ({ dtype, shape }: Node) => allocate(dtype, evaluateSize(productOf(shape), bindings))
  const inputs = graph.params.map(own)
  const outputs = graph.outputs.map((node, i) => inputs[donate.get(i) ?? -1] ?? own(node))
  const compute = (wanted: (output: number) => boolean) => {
    const args = graph.params.map(({ shape }, i) => ({
      data: Float64Array.from(inputs[i]!),
      shape: shape.map((size) => evaluateSize(size, bindings)),
    }))
    for (const [i, { data }] of interpret(graph, args, bindings).entries())
      if (wanted(i)) outputs[i]!.set(data)
  }
  const prepare = () => compute((output) => !donate.has(output))
  return { backend: 'interpret', inputs, outputs, prepare, run: () => compute(() => true) }
}
