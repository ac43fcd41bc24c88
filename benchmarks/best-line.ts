/** Returns the best-fit line by least squares. */
export function bestLine(points: readonly (readonly [x: number, y: number])[]): {
  slope: number;
  at: (x: number) => number;
} {
  const mean = (index: 0 | 1): number => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  const slope = covariance / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return { slope, at: (at) => y + slope * (at - x) };
}
