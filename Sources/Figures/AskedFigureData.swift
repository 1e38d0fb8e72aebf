// What Figure 4 shows: the map of a speech language model of two published halves, the hand-over from
// the sound's positions to the last one, and what two readers make of one encoder.

import Interventions
import Speech

/// Where one place hands over to another along the language model's layers.
public struct HandOverRow: Sendable {
  public let name: String
  /// The depth from which on the changed moment's positions carry less than half.
  public let falls: Estimate?
  /// The depth from which on the last position carries half.
  public let rises: Estimate?

  public init(_ name: String, falls: Estimate?, rises: Estimate?) {
    self.name = name
    self.falls = falls
    self.rises = rises
  }
}

public struct AskedFigureData: Sendable {
  public let grid: AskedGrid
  /// By [site][window] of the grid, empty where no pair entered.
  public var sufficiency: [[Double?]] = []
  public var necessity: [[Double?]] = []
  public var unrelated: [[Double?]] = []
  public var people: [[Double?]] = []
  /// Along the depths of the grid: the changed moment and the last position.
  public var moment: [AskedSource: Profile] = [:]
  public var last: [AskedSource: Profile] = [:]
  /// The changed moment and the changed span alone along the encoder, read by the language model and by
  /// Whisper's own decoder.
  public var readers: [Profile] = []
  public var handOver: [HandOverRow] = []
  /// The share of the gap that each head moves at the last position, by [layer][head].
  public var heads: [[Double?]] = []
  /// Of the same cells, attribution's mean estimate and the exact mean effect.
  public var estimates: [Double] = []
  public var effects: [Double] = []

  public init(grid: AskedGrid) { self.grid = grid }
}

/// Whose activations a curve puts in place, and in whose recordings.
public enum AskedSource: String, Sendable, CaseIterable {
  case clean = "clean source"
  case corrupt = "corrupt source (necessity)"
  case unrelated = "unrelated item, same length"
  case people = "people"
  case strangers = "people, unrelated item"
  case untrained = "drawn projector"
}

extension AskedFigureData {
  /// Every plotted value, one a line.
  var table: String {
    var lines = ["panel\tsite\twindow\tvalue\tlow\thigh"]
    for (name, values) in [
      ("sufficiency", sufficiency), ("necessity", necessity), ("unrelated", unrelated),
      ("people", people),
    ] {
      for (site, row) in zip(grid.sites, values) {
        for (window, value) in zip(AskedGrid.names, row) {
          guard let value else { continue }
          lines.append("\(name)\t\(site)\t\(window)\t\(value)\t\t")
        }
      }
    }
    func add(_ panel: String, _ curve: Profile, _ sites: [Site]) {
      for (site, value) in zip(sites, curve.values) {
        guard let value else { continue }
        lines.append(
          "\(panel)\t\(site)\t\(curve.name)\t\(value.value)\t\(value.low)\t\(value.high)")
      }
    }
    for (panel, curves) in [("moment", moment), ("last", last)] {
      for source in AskedSource.allCases {
        if let curve = curves[source] { add(panel, curve, Array(grid.sites[grid.passage])) }
      }
    }
    for curve in readers { add("encoder", curve, grid.encoder) }
    for row in handOver {
      for (what, depth) in [("moment falls", row.falls), ("last rises", row.rises)] {
        guard let depth else { continue }
        lines.append("hand-over\t\(what)\t\(row.name)\t\(depth.value)\t\(depth.low)\t\(depth.high)")
      }
    }
    for (layer, row) in heads.enumerated() {
      for (head, value) in row.enumerated() {
        guard let value else { continue }
        lines.append("heads\tlm.\(layer).attn.z[\(head)]\tlast\t\(value)\t\t")
      }
    }
    for (effect, estimate) in zip(effects, estimates) {
      lines.append("search\texact\t\(effect)\t\(estimate)\t\t")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
