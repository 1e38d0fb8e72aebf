// The site of `tap subspace`, in a window that follows each pair, and what pairs exchange there.

import Interventions
import Speech
import Tensor

/// A site and a window that follows each pair.
struct SiteWindow {
  let site: Site
  let index: Int?
  let window: PairWindow

  init(_ text: String, in model: any SpeechLanguageModel) throws {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let cell = try Interventions.Cell(String(parts[0]))
    (site, index) = (cell.site, cell.index)
    window = parts.count == 2 ? try PairWindow(String(parts[1])) : .fixed(.all)
    try model.check(site)
    guard !site.activation.rawValue.hasSuffix("pattern"), site.activation != .keep,
      site.activation != .logits
    else {
      throw CellError(
        "\(site) holds no vectors that a subspace could be of; name another site, such as attn.z of a "
          + "pattern's layer")
    }
  }

  var name: String { Interventions.Cell(site, index: index).name + "@\(window)" }

  /// - Throws: where the window follows what changed, and of some pair that is not known.
  func check(_ pairs: [OpenedPair]) throws {
    for pair in pairs {
      do { try window.check(changed: pair.pair.changed?.clean) } catch {
        throw CellError("pair \(pair.pair.id): \(error)")
      }
    }
  }

  /// The window of one run.
  private func fixed(in spans: [TimeSpan?], changed: TimeSpan?) throws -> Window {
    if case .fixed(let window) = window { return window }
    // A stretch of sound holds neighbouring positions.
    let positions = try window.positions(in: spans, changed: changed, of: "\(site)")
    return .positions(positions[0], positions[positions.count - 1] + 1)
  }

  /// The exchanges of pairs in one direction.
  func exchanges(
    _ pairs: [OpenedPair], _ direction: Direction, _ model: any SpeechLanguageModel
  ) throws -> [Exchange] {
    try mapInParallel(pairs.count) { i in
      let pair = pairs[i]
      do {
        let base = try model.trace(pair.base(direction), keeping: [site])
        let source = try model.trace(pair.source(direction), keeping: [site])
        let changed = pair.pair.changed.map { direction == .sufficiency ? $0.corrupt : $0.clean }
        let cell = Interventions.Cell(
          site, index: index, try fixed(in: base.place(of: site).spans, changed: changed))
        guard
          let selection = try Selection(
            cell, base: base, source: source, pair.alignment(direction), strict: true)
        else { throw CellError("\(cell): no position") }
        return model.exchange(
          id: pair.pair.id, group: pair.pair.group, base: base, source: source, direction, selection
        )
      } catch { throw CellError("pair \(pair.pair.id): \(error)") }
    }
  }
}
