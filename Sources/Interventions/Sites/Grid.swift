// Which cells a map or a search has: rows are sites, or heads and neurons of them, columns are windows.

import Corpus
import JSON
import Speech

/// One row of a grid: a site, or one head or neuron of it.
public struct GridRow: Hashable, Sendable, CustomStringConvertible {
  public let site: Site
  public let index: Int?

  public init(_ site: Site, _ index: Int? = nil) {
    self.site = site
    self.index = index
  }

  public var description: String { Cell(site, index: index).name }
}

/// Rows by the names of families or of sites.
public enum SiteFamily: String, CaseIterable, Sendable {
  /// The residual stream at every boundary.
  case residual
  /// What each attention and each MLP writes.
  case attention
  case mlp
  /// Every head's output before its projection, and every neuron behind the nonlinearity.
  case heads
  case neurons
  /// What lies between the encoder's last layer and the language model.
  case connector
  /// Keys and values of attention from one stage to another.
  case cross
  /// Queries and keys as they are compared.
  case queries
  case keys

  fileprivate func holds(_ site: Site, _ known: Set<Site>) -> Bool {
    let name = site.activation.rawValue
    func isTurned(_ letter: String) -> Bool {
      let turned = Site(site.stage, site.layer, Site.Activation(rawValue: "attn.rot_" + letter))
      let hasPattern = known.contains(Site(site.stage, site.layer, .pattern))
      return name == "attn.rot_" + letter
        || (name == "attn." + letter && !known.contains(turned) && hasPattern)
        || name == "cross." + letter || name == letter
    }
    switch self {
    case .residual:
      return name == "resid_post" || site == Site(.encoder, .embed)
        || site == Site(.connector, .out)
        || (name == "embed" && site.stage.rawValue == "decoder")
    case .attention: return name == "attn.out" || name == "cross.out"
    case .mlp: return name == "mlp.out"
    case .heads: return name == "attn.z" || name == "cross.z"
    case .neurons: return name == "mlp.post"
    case .connector:
      return ["connector", "adapter", "lookback", "shrink", "fuse", "qformer"]
        .contains(site.stage.rawValue) && !name.hasSuffix("pattern") && name != "keep"
        || site == Site(.encoder, .final)
    case .cross: return name == "cross.k" || name == "cross.v"
    case .queries: return isTurned("q")
    case .keys: return isTurned("k")
    }
  }
}

extension SpeechLanguageModel {
  /// The rows that a list names, in the order of the model: families, sites, and sites with `*` for
  /// every layer, each with `[5]` or `[*]` for one head or neuron or all of them.
  ///
  /// - Parameters:
  ///   - list: separated by commas, as in `residual,lm.*.attn.z[*]`
  ///   - trace: a run that says how many heads or neurons a site has
  /// - Throws: where a name is neither a family nor a site.
  public func rows(_ list: String, in trace: Trace) throws -> [GridRow] {
    var rows: [GridRow] = []
    let known = Set(sites)
    for part in list.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespaces) }) {
      if let family = SiteFamily(rawValue: part) {
        let own = sites.filter { family.holds($0, known) }
        guard !own.isEmpty else {
          throw CellError("the model has no sites of the family \(quoted(part))")
        }
        for site in own {
          rows += try split(site, into: family == .heads || family == .neurons, trace)
        }
        continue
      }
      let isSplit = part.hasSuffix("[*]")
      let name = isSplit ? String(part.dropLast(3)) : part
      let layers = sites.compactMap(\.layer).max() ?? 0
      let names =
        name.contains("*")
        ? (0...layers).map { name.replacing("*", with: "\($0)") } : [name]
      // What stands for every layer names a site as soon as it has a number there.
      let cells =
        name.contains("*")
        ? names.compactMap { try? Cell($0) }.filter { known.contains($0.site) }
        : try names.map(Cell.init)
      guard !cells.isEmpty, cells.allSatisfy({ $0.window == .all }) else {
        let families = SiteFamily.allCases.map(\.rawValue).joined(separator: ", ")
        throw CellError(
          "\(quoted(part)) names no site of the model; write a site without a window, as in "
            + "lm.*.attn.z[*], or one of \(families)")
      }
      for cell in cells {
        try check(cell.site)
        rows += isSplit ? try split(cell.site, into: true, trace) : [GridRow(cell.site, cell.index)]
      }
    }
    guard !rows.isEmpty else {
      throw CellError(
        "\(quoted(list)) names no site; name some, such as residual or lm.*.attn.z[*]")
    }
    let order = Dictionary(uniqueKeysWithValues: sites.enumerated().map { ($1, $0) })
    let unique = Array(Set(rows))
    return unique.sorted {
      (order[$0.site]!, $0.index ?? -1) < (order[$1.site]!, $1.index ?? -1)
    }
  }

  private func split(_ site: Site, into parts: Bool, _ trace: Trace) throws -> [GridRow] {
    guard parts else { return [GridRow(site)] }
    let place = try trace.place(of: site)
    let width = place.heads > 1 || place.pattern != nil ? 0 : try trace.activation(of: site).width
    return (0..<place.parts(width: width)).map { GridRow(site, $0) }
  }
}

/// Which windows the columns of a grid are.
public enum WindowPlan: Hashable, Sendable, CustomStringConvertible {
  /// Windows of so many milliseconds from the start of the clip.
  case time(Double)
  /// One for each segment of the base recording.
  case segments
  /// Every position of the sound together.
  case whole

  public var description: String {
    switch self {
    case .time(let width): "time:\(shortest(width))"
    case .segments: "segments"
    case .whole: "whole"
    }
  }

  /// Reads what `description` gives.
  public init(_ text: String) throws {
    switch text {
    case "segments": self = .segments
    case "whole": self = .whole
    default:
      guard text.hasPrefix("time:"), let width = Double(text.dropFirst(5)), width > 0,
        width.isFinite
      else {
        throw CellError("\(quoted(text)) are no windows; write time:80 (ms), segments or whole")
      }
      self = .time(width)
    }
  }
}

/// A window with the name under which pairs share it.
public struct GridWindow: Hashable, Sendable {
  public let name: String
  public let window: Window
}

extension WindowPlan {
  /// How many windows of a grid are drawn at most.
  private static let most = 100_000

  /// - Parameters:
  ///   - sites: those of the grid
  ///   - trace: a run that says which stretch of sound each of their positions stands for
  /// - Throws: where windows are narrower than the positions of every site, so that some would hold
  ///   nothing anywhere and the others as much as wider ones.
  public func check(over sites: [Site], in trace: Trace) throws {
    guard case .time(let width) = self else { return }
    let spans = try sites.flatMap { try trace.place(of: $0).spans.compactMap { $0 } }
    guard let finest = spans.map({ $0.end - $0.start }).min() else { return }
    // Spans are differences of times.
    guard width < finest * (1 - 1e-9) else { return }
    let useful = (1000 * finest).rounded(.up) / 1000
    throw CellError(
      "windows of \(shortest(width)) ms are narrower than any position of the patched sites, the finest "
        + "of which stand for \(shortest(useful)) ms; write time:\(shortest(useful)) or wider")
  }

  /// The columns of one base run: its sound, then the last positions of its text one by one.
  ///
  /// - Parameters:
  ///   - length: milliseconds of the base run's sound
  ///   - segments: those of the base recording, where known
  ///   - text: how many of the last positions of the text get a column each
  ///   - behind: how many positions behind those are left out; names do not count them
  /// - Throws: where segments are wanted and not known, or there would be too many windows.
  public func windows(length: Double, segments: [Segment]?, text: Int, behind: Int = 0) throws
    -> [GridWindow]
  {
    let sound: [GridWindow]
    if text > WindowPlan.most {
      throw CellError("\(text) windows of text are more than a model has; give fewer")
    }
    switch self {
    case .whole: sound = [GridWindow(name: "sound", window: .sound)]
    case .time(let width):
      guard length / width <= Double(WindowPlan.most) else {
        throw CellError(
          "windows of \(shortest(width)) ms are more than \(WindowPlan.most) in \(shortest(length)) ms "
            + "of sound; give wider ones")
      }
      let count = Int((length / width).rounded(.up))
      sound = (0..<count).map {
        let window = Window.milliseconds(width * Double($0), width * Double($0 + 1))
        return GridWindow(name: "\(window)", window: window)
      }
    case .segments:
      guard let segments else {
        throw CellError("the pair has no boundaries; give TextGrids, or windows such as time:80")
      }
      sound = segments.enumerated().map {
        GridWindow(name: "segment \($0)", window: .milliseconds($1.start, $1.end))
      }
    }
    let last = (0..<text).map { i -> GridWindow in
      func window(_ behind: Int) -> Window {
        let end = i + 1 - text - behind
        return .text(i - text - behind, end < 0 ? end : nil)
      }
      return GridWindow(name: "\(window(0))", window: window(behind))
    }
    return sound + last
  }
}
