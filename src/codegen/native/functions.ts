/** The C functions of a program's kernels: those whose texts differ in numbers alone are one, which takes the numbers. */
import type { Kernel, View } from '../program.ts'

/** One kernel as text, in which its numbers are `n0`, `n1` … */
export interface KernelText {
  /** What `p0`, `p1` … are the addresses of. */
  readonly views: readonly View[]
  readonly body: string
  readonly numbers: readonly number[]
}

interface Shared extends KernelText {
  readonly name: string
  /** Numbers that are not the same in all kernels. */
  readonly varying: Set<number>
}

export class Functions {
  readonly #byText = new Map<string, Shared>()
  readonly #calls = new Map<Kernel, KernelText & { readonly shared: Shared }>()

  /** In the order in which they were added. */
  get kernels(): readonly Kernel[] {
    return [...this.#calls.keys()]
  }

  add(kernel: Kernel, text: KernelText): void {
    const { views, body, numbers } = text
    const key = `${views.length} ${body}`
    let shared = this.#byText.get(key)
    if (shared === undefined) {
      shared = { ...text, name: `k${this.#byText.size}`, varying: new Set() }
      this.#byText.set(key, shared)
    }
    for (const [i, number] of numbers.entries()) if (number !== shared.numbers[i]) shared.varying.add(i)
    this.#calls.set(kernel, { ...text, shared })
  }

  /** The text of all functions: numbers that are always the same are constants in it. */
  text(): string {
    let text = ''
    for (const { name, views, body, numbers, varying } of this.#byText.values()) {
      let params = 'const int64_t *env'
      let fixed = ''
      for (const i of views.keys()) params += `, f32 *p${i}`
      for (const [i, number] of numbers.entries()) {
        if (varying.has(i)) params += `, int64_t n${i}`
        else fixed += `const int64_t n${i} = ${number};\n`
      }
      text += `static __attribute__((noinline)) void ${name}(${params}) {\n${fixed}${body}}\n`
    }
    return text
  }

  /** The call of a kernel, once all have been added; `address` of each view. */
  call(kernel: Kernel, address: (view: View) => string): string {
    const { shared, views, numbers } = this.#calls.get(kernel)!
    let args = 'env'
    for (const view of views) args += `, ${address(view)}`
    for (const [i, number] of numbers.entries()) if (shared.varying.has(i)) args += `, ${number}`
    return `${shared.name}(${args});\n`
  }
}
