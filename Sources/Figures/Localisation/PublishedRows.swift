// What the committed tables of Figures 4 and S3 say of the maps of published models.

import Foundation
import Interventions
import Speech

/// What a published model's map says of its interface: the projector's output, or the encoder's.
public struct PublishedRow: Sendable {
  public let model: String
  public let voices: String
  public let task: String
  /// Which figure's table, at which site and of which stretch of sound.
  public let source: String
  /// Both directions there, and an unrelated item in place of the source; nil where the table has none.
  public let sufficiency: Estimate?
  public let necessity: Estimate?
  public let unrelated: Estimate?
  /// The share of the changed span and of the 120 ms behind it among all windows of sound.
  public let near: Double
}

/// The rows of a committed table of Figure 4 or S3.
///
/// - Throws: where the table is not there or has other columns.
public func publishedRows(_ path: String, figure: String) throws -> [PublishedRow] {
  let table = try PublishedTable(path)
  return try table.models.flatMap { model in
    try [("synthetic", "sufficiency"), ("people", "people")].map { voices, panel in
      let interface = try table.interface(of: model)
      func recovery(_ series: String) -> Estimate? {
        table.estimate(of: model, at: interface, series)
      }
      let isSuite = voices == "synthetic"
      return PublishedRow(
        model: model, voices: voices, task: table.isAsked ? "short answer" : "transcription",
        source: "\(figure), \(interface), \(table.isAsked ? "moment" : "changed span")",
        sufficiency: recovery(isSuite ? "clean source" : "people"),
        necessity: isSuite ? recovery("corrupt source (necessity)") : nil,
        unrelated: recovery(
          isSuite ? "unrelated item, same length" : "people, unrelated item"),
        near: try table.near(model, panel, at: interface))
    }
  }
}

private struct PublishedTable {
  let path: String
  /// Model, panel, site, window or series, value, bounds.
  let rows: [[String]]
  /// Whether it is the table of a speech language model that is asked, which is one.
  let isAsked: Bool
  let models: [String]

  init(_ path: String) throws {
    self.path = path
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
    let columns = ["panel", "site", "window", "value", "low", "high"]
    let header = lines.first ?? []
    guard header == columns || header == ["model"] + columns else {
      throw CellError(
        "\(path): its columns are not \(columns.joined(separator: ", ")); git checkout it")
    }
    isAsked = header == columns
    let own = isAsked
    rows = lines.dropFirst().filter { $0.count == header.count }.map {
      own ? ["qwen2-audio-published"] + $0 : $0
    }
    // Rows that compare models name them in their series.
    models = rows.map { $0[0] }.reduce(into: []) {
      if !$1.isEmpty && !$0.contains($1) { $0.append($1) }
    }
  }

  /// The projector's output, or behind the encoder's last layer.
  func interface(of model: String) throws -> String {
    let sites = rows.filter { $0[0] == model }.map { $0[2] }
    if sites.contains("connector.out") { return "connector.out" }
    let layers = sites.filter { $0.hasPrefix("encoder.") && $0 != "encoder.embed" }
    guard let last = layers.max() else { throw CellError("\(path): \(model) has no encoder") }
    return last
  }

  func estimate(of model: String, at site: String, _ series: String) -> Estimate? {
    let (panel, name) = isAsked ? ("moment", "moment: \(series)") : ("depth", "\(model): \(series)")
    guard let row = rows.first(where: { $0[1] == panel && $0[2] == site && $0[3] == name }),
      let value = Double(row[4]), let low = Double(row[5]), let high = Double(row[6])
    else { return nil }
    return Estimate(value: value, low: low, high: high)
  }

  func near(_ model: String, _ panel: String, at site: String) throws -> Double {
    let windows = try ["before", "changed", "next", "behind"].map { window in
      let row = rows.first {
        $0[0] == model && $0[1] == panel && $0[2] == site && $0[3] == window
      }
      guard let value = row.flatMap({ Double($0[4]) }) else {
        throw CellError("\(path): has no \(panel) of \(model) at \(site)@\(window)")
      }
      return value
    }
    return (windows[1] + windows[2]) / windows.reduce(0, +)
  }
}
