/** A bench measures over a time that really passes; tests wait with `until`. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
