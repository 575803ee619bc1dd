export function installOnFirstUse(folder: string, beforehand: () => void): string | undefined
