// What the committed tables of Figures 4 and S3 say of the maps of published models.

import Foundation
import Interventions
import Speech

/// What the committed table of a published model's map says of its interface: the encoder's output, or
/// the projector's.
public struct PublishedRow: Sendable {
  public let model: String
  public let voices: String
  public let task: String
  public let figure: String
  public let site: String
  /// Recoveries in the changed span and in the 120 ms behind it.
  public let changed: Double
  public let next: Double
  /// The share of both among all windows of sound.
  public let near: Double
}

/// The rows of a committed table of Figure 4 or S3.
///
/// - Throws: where the table is not there or has other columns.
public func publishedRows(_ path: String, figure: String) throws -> [PublishedRow] {
  let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
  guard let header = lines.first, let panel = header.firstIndex(of: "panel"),
    let site = header.firstIndex(of: "site"), let window = header.firstIndex(of: "window"),
    let value = header.firstIndex(of: "value")
  else {
    throw CellError("\(path): has no columns panel, site, window and value; git checkout it")
  }
  let column = header.firstIndex(of: "model")
  let rows = lines.dropFirst().filter { $0.count > value }
  var models: [String] = []
  for row in rows {
    let model = column.map { row[$0] } ?? "qwen2-audio-published"
    if !models.contains(model) { models.append(model) }
  }
  let sound = ["before", "changed", "next", "behind"]
  return models.flatMap { model -> [PublishedRow] in
    let own = rows.filter { row in column.map { row[$0] == model } ?? true }
    let sites = own.map { $0[site] }
    guard
      let interface = sites.contains("connector.out")
        ? "connector.out"
        : sites.filter({ $0.hasPrefix("encoder.") && $0 != "encoder.embed" }).max()
    else { return [] }
    return [("sufficiency", "synthetic"), ("people", "people")].compactMap { name, voices in
      func number(_ place: String) -> Double? {
        own.first { $0[panel] == name && $0[site] == interface && $0[window] == place }
          .flatMap { Double($0[value]) }
      }
      let values = sound.map { number($0) ?? 0 }
      guard let changed = number("changed"), let next = number("next") else { return nil }
      return PublishedRow(
        model: model, voices: voices, task: column == nil ? "short answer" : "transcription",
        figure: figure, site: interface, changed: changed, next: next,
        near: (changed + next) / values.reduce(0, +))
    }
  }
}
