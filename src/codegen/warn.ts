/** Lines that are told once. */
const told = new Set<string>()

export function warnOnce(line: string): void {
  if (!told.has(line)) console.warn(`recurra: ${line}`)
  told.add(line)
}
