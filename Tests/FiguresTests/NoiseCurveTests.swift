// Figure 3's right third: that it shows what the committed table of Figure 6 says, and nothing where that says
// nothing.

import Figures
import Foundation
import Interventions
import Testing

@Suite struct NoiseCurveTests {
  private static let table = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("figures/figure6.tsv").path

  private func written(_ text: String) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).tsv").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  @Test func curvesAreTheTables() throws {
    let curves = try noiseCurves(Self.table, of: "qwen2-audio-small")
    #expect(curves.count == 6 && curves.allSatisfy { $0.points.count == curves[0].points.count })
    let lines = try String(contentsOfFile: Self.table, encoding: .utf8).split(separator: "\n")
    let start = "qwen2-audio-small\tTAP: neurons, patch oracle\t"
    let line = try #require(
      lines.first { $0.hasPrefix(start) && $0.contains("\terrors at 0.0 dB\t") })
    let numbers = line.split(separator: "\t").suffix(3).compactMap { Double($0) }
    let rate = try #require(
      curves.first { $0.name == "TAP, oracle" }?.points.first { $0.ratio == 0 }?.rate)
    #expect([rate.value, rate.low, rate.high] == numbers)
    // Nothing done costs nothing; the others say what they cost.
    #expect(curves.dropFirst().allSatisfy { $0.cost != nil })
  }

  @Test func aTableOfAnotherFormIsRefused() throws {
    let text = try String(contentsOfFile: Self.table, encoding: .utf8)
    for (changed, why) in [
      (text.replacingOccurrences(of: "\tquantity\t", with: "\twhat\t"), "other columns"),
      (text.replacingOccurrences(of: "drawn: shrink noise", with: "drawn"), "drawn: shrink noise"),
    ] {
      let path = try written(changed)
      defer { try? FileManager.default.removeItem(atPath: path) }
      #expect {
        try noiseCurves(path, of: "qwen2-audio-small")
      } throws: {
        "\($0)".contains(why)
      }
    }
    #expect(throws: CellError.self) { try noiseCurves(Self.table, of: "own-model") }
  }
}
