// Causal maps as one page to look at and to hear: the values and the recordings, the script that draws them,
// and the library that it draws with, in one file that asks nobody for anything.

import JSON

/// What a page of causal maps is made of.
///
/// `tap map --explorer FILE.json` writes one map, with the recordings of its pairs, as an object with the
/// members `maps`, an array, and `sounds`, an object by the names under which pairs mention them.
public struct ExplorerPage {
  /// The largest page, in bytes.
  public static let limit = 15_000_000
  /// Where Debian's package puts the library.
  public static let library = "/usr/share/nodejs/d3/dist/d3.min.js"

  private let maps: [JSON]
  private let sounds: [String: JSON]

  /// - Parameter parts: as `tap map` writes them, each with the name of its file
  /// - Throws: where one is something else, lacks a recording, or two are of the same model and task.
  public init(_ parts: [(name: String, json: JSON)]) throws {
    var (maps, sounds): ([JSON], [String: JSON]) = ([], [:])
    var files: [String: String] = [:]
    for (name, json) in parts {
      guard let own = json["maps"]?.elements, let heard = json["sounds"]?.members, !own.isEmpty
      else {
        throw Failure("\(name): holds no map; write it with tap map --explorer FILE.json")
      }
      for map in own {
        guard let model = map["model"]?.string, let task = map["task"]?.string,
          let pairs = map["pairs"]?.elements, !pairs.isEmpty, map["rows"]?.elements != nil,
          map["columns"]?.elements != nil, map["directions"]?.members != nil
        else {
          throw Failure("\(name): holds a map without rows, columns, directions or pairs")
        }
        if let other = files.updateValue(name, forKey: "\(model), \(task)") {
          throw Failure("\(other) and \(name) are both of \(model), \(task): leave one out")
        }
        for pair in pairs {
          for member in ["clean", "corrupt"] {
            let sound = pair[member]?["sound"]?.string
            guard let sound, heard[sound] != nil else {
              throw Failure(
                "\(name): has no sound of the \(member) member of pair "
                  + (pair["id"]?.string ?? "without a name"))
            }
          }
        }
      }
      maps += own
      sounds.merge(heard) { $1 }
    }
    (self.maps, self.sounds) = (maps, sounds)
  }

  /// The page.
  ///
  /// - Parameter library: the text of d3, version 5.8 or later
  /// - Throws: where it is larger than `limit`; the error says how many pairs a map fit.
  public func html(library: String) throws -> String {
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    // "<" would end the script that holds the values.
    let values = data(pairs: nil).replacing("<", with: "\\u003c")
    let script = [
      PackageResources.state_js, PackageResources.drawing_js, PackageResources.controls_js,
    ].map(text).joined(separator: "\n")
    let page = text(PackageResources.explorer_html)
      .replacing("/*STYLE*/", with: text(PackageResources.explorer_css))
      .replacing("/*SCRIPT*/", with: script)
      .replacing("/*LIBRARY*/", with: library)
      .replacing("/*DATA*/", with: values)
    let size = page.utf8.count
    guard size > Self.limit else { return page }
    let rest = size - values.utf8.count
    let most = maps.compactMap { $0["pairs"]?.elements?.count }.max() ?? 0
    let fit = (0..<most).last { rest + data(pairs: $0).utf8.count <= Self.limit } ?? 0
    throw Failure(
      "the page would have \(size / 1_000_000) MB of \(Self.limit / 1_000_000) at most: "
        + (fit > 0
          ? "of the \(most) pairs a map \(fit) fit, so say --limit \(fit)"
          : "not even one pair a map fits; take shorter recordings, wider windows or fewer sites"))
  }

  /// Maps and sounds, of all pairs or of the first so many of each map.
  private func data(pairs count: Int?) -> String {
    guard let count else {
      return JSON.object(["maps": .array(maps), "sounds": .object(sounds)]).compactText
    }
    var names: Set<String> = []
    let some = maps.map { map -> JSON in
      var members = map.members ?? [:]
      let pairs = Array((map["pairs"]?.elements ?? []).prefix(count))
      for pair in pairs {
        names.formUnion(["clean", "corrupt"].compactMap { pair[$0]?["sound"]?.string })
      }
      members["pairs"] = .array(pairs)
      return .object(members)
    }
    return JSON.object([
      "maps": .array(some), "sounds": .object(sounds.filter { names.contains($0.key) }),
    ]).compactText
  }

  /// The text of the library that pages draw with.
  ///
  /// - Throws: where it is not installed; the error says how it gets there.
  public static func installedLibrary() throws -> String {
    guard exists(library) else {
      throw Failure(
        "\(library) is not there, which pages of maps are drawn with: install the Debian package node-d3"
      )
    }
    return String(decoding: try contents(of: library), as: UTF8.self)
  }
}
