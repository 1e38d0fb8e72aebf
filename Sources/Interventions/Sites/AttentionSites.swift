// The sites of one attention: queries, keys and the pattern that they make.

import Speech
import Tensor

/// Queries and keys as they are compared, and their pattern.
struct AttentionSites {
  let q: Site
  let k: Site
  let pattern: Site

  var sites: [Site] { [q, k, pattern] }

  func touches(_ wanted: [Site]) -> Bool { wanted.contains(q) || wanted.contains(k) }

  /// Every attention among some sites. Where there are rotary positions, queries and keys are those
  /// behind them: before them, one key's place is not its own.
  static func all(in sites: [Site]) -> [AttentionSites] {
    let known = Set(sites)
    return sites.compactMap { pattern in
      let name = pattern.activation.rawValue
      guard name == "pattern" || name.hasSuffix(".pattern") else { return nil }
      let prefix = name.dropLast("pattern".count)
      for turned in ["rot_", ""] {
        func at(_ part: String) -> Site {
          Site(
            pattern.stage, pattern.layer, Site.Activation(rawValue: prefix + turned + part))
        }
        if known.contains(at("q")), known.contains(at("k")) {
          return AttentionSites(q: at("q"), k: at("k"), pattern: pattern)
        }
      }
      return nil
    }
  }

  /// The scores of the queries or the keys, each moved to the source run's value by itself.
  func scores(
    of site: Site, _ slopes: Tensor, _ base: Trace, _ source: Trace, _ options: SearchOptions
  ) throws -> SiteScores {
    let (place, keys) = (try base.place(of: site), try base.place(of: k))
    guard let places = try base.place(of: pattern).pattern else {
      preconditionFailure("\(pattern) has no layout")
    }
    let cell = try Selection(Cell(site), base: base, source: source, options.alignment)!
    let own = base.kept[site]!
    let moved = replacingRows(own, at: place.rows, with: cell.source)
    let attention = AttentionSlopes(
      q: base.kept[q]!, k: base.kept[k]!, keyHeads: keys.heads, patterns: base.kept[pattern]!,
      slopes: slopes, places: places)
    return site == q
      ? SiteScores(heads: place.heads, attention.effect(ofQueries: moved), place)
      : SiteScores(heads: place.heads, attention.effect(ofKeys: moved), place)
  }
}
