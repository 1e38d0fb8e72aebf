// A cell names what is patched: a site, one head or neuron of it where an index is given, and a
// window: `encoder.3.attn.z[5]@120ms..240ms`. The string form is what files, the command line and
// error messages use, and it reads back as the same cell.

import JSON
import Speech
import Tensor

/// One cell of a map: a site, or one head or neuron of it, in a window.
public struct Cell: Hashable, Sendable, CustomStringConvertible {
  public let site: Site
  /// The head, where the site's vectors are heads side by side or it is a pattern; else the neuron
  /// (coordinate).
  public let index: Int?
  public let window: Window

  public init(_ site: Site, index: Int? = nil, _ window: Window = .all) {
    self.site = site
    self.index = index
    self.window = window
  }

  /// Reads `SITE`, `SITE[index]`, `SITE@WINDOW` or `SITE[index]@WINDOW`.
  ///
  /// - Throws: where it has none of these forms.
  public init(_ text: String) throws {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    var name = String(parts[0])
    var index: Int?
    if name.hasSuffix("]"), let bracket = name.firstIndex(of: "[") {
      index = Int(name[name.index(after: bracket)...].dropLast())
      guard let index, index >= 0 else { throw Cell.unreadable(text) }
      name = String(name[..<bracket])
    }
    guard let site = Site(name) else { throw Cell.unreadable(text) }
    self.init(site, index: index, parts.count == 2 ? try Window(String(parts[1])) : .all)
  }

  private static func unreadable(_ text: String) -> CellError {
    CellError(
      "\(quoted(text)) is no site; write stage.layer.activation as in encoder.3.resid_post, with [5] for "
        + "one head or neuron and @120ms..240ms or @3..5 for a window")
  }

  /// The site with its index, without the window.
  public var name: String { "\(site)" + (index.map { "[\($0)]" } ?? "") }

  public var description: String { name + (window == .all ? "" : "@\(window)") }
}

/// Why a cell cannot be read or is not there.
public struct CellError: Error, CustomStringConvertible, Equatable {
  public let description: String
  public init(_ description: String) { self.description = description }
}

extension SpeechLanguageModel {
  /// - Throws: where the model has no such site; the error lists those that it has, near ones first.
  public func check(_ site: Site) throws {
    guard !sites.contains(site) else { return }
    let name = "\(site)"
    let near = sites.map { (distance("\($0)", name), "\($0)") }.sorted { $0 < $1 }.prefix(5)
    throw CellError(
      "the model has no site \(shortened(name)); near it are \(near.map(\.1).joined(separator: ", ")); "
        + "it has \(siteSummary(sites))")
  }
}

/// Sites by stage, with the activations of a layer named once: `lm.0..3.{resid_pre, attn.k}`.
func siteSummary(_ sites: [Site]) -> String {
  var order: [String] = []
  var names: [String: [String]] = [:]
  var layers: [String: [Int]] = [:]
  for site in sites {
    let stage = site.stage.rawValue + (site.layer == nil ? "" : ".")
    if names[stage] == nil { order.append(stage) }
    if !names[stage, default: []].contains(site.activation.rawValue) {
      names[stage, default: []].append(site.activation.rawValue)
    }
    if let layer = site.layer { layers[stage, default: []].append(layer) }
  }
  return order.map { stage in
    let range = layers[stage].map { "\($0.min()!)..\($0.max()!)" } ?? ""
    return "\(stage)\(range).{\(names[stage]!.joined(separator: ", "))}"
  }.joined(separator: "; ")
}

/// How many letters have to be added, left out or changed to make one name of the other.
private func distance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.utf8), Array(b.utf8))
  var row = Array(0...b.count)
  for i in a.indices {
    var corner = row[0]
    row[0] = i + 1
    for j in b.indices {
      let changed = corner + (a[i] == b[j] ? 0 : 1)
      corner = row[j + 1]
      row[j + 1] = min(changed, row[j] + 1, corner + 1)
    }
  }
  return row[b.count]
}

extension Place {
  /// How many heads or, where the vectors are not made of heads, neurons a site so wide has.
  func parts(width: Int) -> Int { heads > 1 || pattern != nil ? heads : width }

  /// The columns of one head or neuron of vectors so wide; all where there is no index.
  func columns(of index: Int?, width: Int) -> Range<Int> {
    guard let index, pattern == nil else { return 0..<width }
    let count = parts(width: width)
    precondition(index < count, "\(index) of \(count) heads or neurons")
    let size = width / count
    return (index * size)..<((index + 1) * size)
  }

  /// - Throws: where vectors so wide have no such head or neuron.
  func check(_ cell: Cell, width: Int) throws {
    guard let index = cell.index, index >= parts(width: width) else { return }
    let parts = heads > 1 || pattern != nil ? "heads" : "neurons"
    throw CellError("\(cell): the site has \(self.parts(width: width)) \(parts), counted from 0")
  }
}
