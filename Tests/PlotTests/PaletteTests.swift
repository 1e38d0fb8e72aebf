import Foundation
import Plot
import Testing

private func difference(_ a: Color, _ b: Color) -> Double {
  let (p, q) = (OKLab(a), OKLab(b))
  return hypot(hypot(p.a - q.a, p.b - q.b), p.lightness - q.lightness)
}

@Test func coloursReturnFromThePerceptualSpace() {
  for hex: UInt32 in [0x000000, 0xFFFFFF, 0x0072B2, 0xD55E00, 0x123456, 0x00FF00] {
    #expect(OKLab(Color(hex)).color == Color(hex))
  }
  // Reference: Ottosson's published values for sRGB red.
  let red = OKLab(Color(0xFF0000))
  #expect(abs(red.lightness - 0.62796) < 1e-4)
  #expect(abs(red.a - 0.22486) < 1e-4)
  #expect(abs(red.b - 0.12585) < 1e-4)
}

@Test func theDivergingCentreIsNeutralAndTheArmsAreEquallyDark() {
  let centre = Palette.diverging.color(0.5)
  #expect(centre.red == centre.green && centre.green == centre.blue)
  #expect(OKLab(centre).lightness > 0.95)
  for k in 1...20 {
    let d = Double(k) / 40
    let (low, high) = (Palette.diverging.color(0.5 - d), Palette.diverging.color(0.5 + d))
    #expect(abs(OKLab(low).lightness - OKLab(high).lightness) < 0.006)
    #expect(low.blue > low.red, "blue below zero")
    #expect(high.red > high.blue, "red above zero")
  }
}

@Test func lightnessFallsInEqualSteps() {
  let light = (0...20).map { OKLab(Palette.sequential.color(Double($0) / 20)).lightness }
  let steps = zip(light, light.dropFirst()).map { $0 - $1 }
  let mean = steps.reduce(0, +) / 20
  #expect(mean > 0.02)
  #expect(steps.allSatisfy { abs($0 - mean) < 0.008 })
}

@Test func valuesBeyondTheLimitsSaturate() {
  let scale = ColorScale.diverging(limit: 0.4)
  #expect(scale.color(7) == scale.color(0.4))
  #expect(scale.color(-7) == scale.color(-0.4))
  #expect(scale.color(0.39) != scale.color(0.4))
  #expect(scale.color(0) == Palette.diverging.color(0.5))
}

@Test func aColourBarIsPointedWhereAValueLiesBeyond() {
  let grid = CellGrid.units(columns: 2, rows: 1)
  func pointed(_ values: [Double?]) -> (below: Bool, above: Bool) {
    let map = HeatMap([values], over: grid, .diverging(limit: 1))
    return ColorBar("", in: Rect(left: 0, top: 0, width: 9, height: 1), of: [map]).pointed
  }
  #expect(pointed([1, -1]) == (false, false))
  #expect(pointed([1.01, nil]) == (false, true))
  #expect(pointed([0, -1.01]) == (true, false))
}

/// Colours as they look without the red or green cones (Machado, Oliveira and Fernandes 2009).
@Test(arguments: [
  [
    [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  [
    [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
  ],
])
func categoriesAndSignsStayApartForColourBlindReaders(matrix: [[Double]]) {
  func seen(_ color: Color) -> Color {
    let light = [color.red, color.green, color.blue].map {
      $0 <= 0.04045 ? $0 / 12.92 : pow(($0 + 0.055) / 1.055, 2.4)
    }
    let c = matrix.map { row in
      let x = min(max(zip(row, light).map(*).reduce(0, +), 0), 1)
      return x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055
    }
    return Color(red: c[0], green: c[1], blue: c[2])
  }
  let colors = Palette.categories.map(seen)
  for i in colors.indices {
    for j in 0..<i { #expect(difference(colors[i], colors[j]) > 0.07, "categories \(j) and \(i)") }
  }
  for d in [0.1, 0.25, 0.5] {
    let (low, high) = (Palette.diverging.color(0.5 - d), Palette.diverging.color(0.5 + d))
    #expect(difference(seen(low), seen(high)) > 0.06, "signs at \(d)")
  }
}
