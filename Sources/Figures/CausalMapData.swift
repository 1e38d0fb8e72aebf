// What Figure 2 shows: maps on a grid of sites and windows, profiles along depth, one example.

import Corpus
import Interventions
import Speech

/// A curve along the sites of the model, with intervals; nil where the site has no such position.
public struct Profile: Sendable {
  public let name: String
  public let values: [Estimate?]

  public init(_ name: String, _ values: [Estimate?]) {
    self.name = name
    self.values = values
  }
}

/// A cell of a map: index of the site, index of the window.
public struct MapCell: Hashable, Sendable {
  public let site: Int
  public let window: Int

  public init(site: Int, window: Int) { (self.site, self.window) = (site, window) }
}

/// A phone under a time axis, in milliseconds from the onset of the changed phone.
public struct PhoneSpan: Sendable {
  public let label: String
  public let start: Double
  public let end: Double
  public let changed: Bool
}

/// The map of one pair, with its phones.
public struct ExampleMap: Sendable {
  public let title: String
  public let values: [[Double?]]
  public let phones: [PhoneSpan]
}

/// Everything that Figure 2 is drawn from. Maps are by [site][window], windows as
/// `LockedWindows.ofTime` orders them.
public struct CausalMapData: Sendable {
  public var sites: [Site]
  public var windows: LockedWindows
  public var sufficiency: [[Double?]]
  public var necessity: [[Double?]]
  /// `sufficiency` of the same architecture with random weights, over the trained model's gap.
  public var untrained: [[Double?]]
  /// Cells that the attribution search ranks highest, for either direction.
  public var proposed: [MapCell]
  public var proposedNecessity: [MapCell]
  public var phones: [PhoneSpan]
  /// By [site][phone window].
  public var phoneSufficiency: [[Double?]]
  public var example: ExampleMap
  /// Attribution's estimate and the exact effect of each cell.
  public var estimates: [Double]
  public var effects: [Double]
  /// Recovery in the changed phone's window, and at the answer's position.
  public var profiles: [Profile]
  public var answer: [Profile]

  public init(
    sites: [Site], windows: LockedWindows, sufficiency: [[Double?]], necessity: [[Double?]],
    untrained: [[Double?]], proposed: [MapCell], proposedNecessity: [MapCell], phones: [PhoneSpan],
    phoneSufficiency: [[Double?]], example: ExampleMap, estimates: [Double], effects: [Double],
    profiles: [Profile], answer: [Profile]
  ) {
    self.sites = sites
    self.windows = windows
    self.sufficiency = sufficiency
    self.necessity = necessity
    self.untrained = untrained
    self.proposed = proposed
    self.proposedNecessity = proposedNecessity
    self.phones = phones
    self.phoneSufficiency = phoneSufficiency
    self.example = example
    self.estimates = estimates
    self.effects = effects
    self.profiles = profiles
    self.answer = answer
  }
}

/// The `k` cells of the largest absolute value; ties go to the lower site, then the earlier window.
public func strongestCells(_ k: Int, of map: [[Double?]]) -> [MapCell] {
  let cells = map.indices.flatMap { site in
    map[site].indices.compactMap { window in
      map[site][window].map { (cell: MapCell(site: site, window: window), value: abs($0)) }
    }
  }
  let order = cells.indices.sorted {
    (-cells[$0].value, $0) < (-cells[$1].value, $1)
  }
  return order.prefix(k).map { cells[$0].cell }
}

/// The values of two maps in the cells that both have.
public func matched(_ a: [[Double?]], _ b: [[Double?]]) -> ([Double], [Double]) {
  var (x, y): ([Double], [Double]) = ([], [])
  for (rowA, rowB) in zip(a, b) {
    for case (let valueA?, let valueB?) in zip(rowA, rowB) {
      x.append(valueA)
      y.append(valueB)
    }
  }
  return (x, y)
}

/// The median bounds of the phones around the changed one.
public func typicalPhones(_ pairs: [MinimalPair], _ windows: LockedWindows) -> [PhoneSpan] {
  func median(_ x: [Double]) -> Double { x.sorted()[x.count / 2] }
  return windows.phones.filter { abs($0) <= 2 }.compactMap { offset in
    let spans = pairs.compactMap { pair -> (Double, Double)? in
      let index = pair.changedPhone + offset
      guard pair.clean.phones.indices.contains(index) else { return nil }
      let phone = pair.clean.phones[index]
      return (phone.start - pair.onset, phone.end - pair.onset)
    }
    guard !spans.isEmpty else { return nil }
    return PhoneSpan(
      label: signed(offset), start: median(spans.map(\.0)), end: median(spans.map(\.1)),
      changed: offset == 0)
  }
}

/// A whole number with its sign, as axis labels print it.
func signed(_ n: Int) -> String { n == 0 ? "0" : n < 0 ? "\u{2212}\(-n)" : "+\(n)" }

/// The map of one pair of the suite: of the median gap among its voice and slot, so that no one
/// picks it by its looks.
public func example(
  _ pairs: [MinimalPair], _ maps: [PairMap], _ windows: LockedWindows, voice: String = "rms",
  slot: String = "b-first"
) -> ExampleMap {
  let own = pairs.indices.filter { pairs[$0].voice == voice && pairs[$0].slot == slot }
  let ranked = (own.isEmpty ? Array(pairs.indices) : own).sorted { maps[$0].gap < maps[$1].gap }
  let index = ranked[ranked.count / 2]
  let (pair, map) = (pairs[index], maps[index])
  let (a, b) = (pair.clean.phones[pair.changedPhone], pair.corrupt.phones[pair.changedPhone])
  return ExampleMap(
    title: "One pair: \u{201C}\(pair.clean.text)\u{201D}, "
      + "\(pair.answers.clean)/\(pair.answers.corrupt)",
    values: [map].recovery(.sufficiency, \.sufficiency),
    phones: pair.clean.phones.enumerated().map { i, phone in
      PhoneSpan(
        label: i == pair.changedPhone
          ? "\(ipa(a.label))/\(ipa(b.label))" : phone.label == "pau" ? "" : ipa(phone.label),
        start: phone.start - pair.onset, end: phone.end - pair.onset,
        changed: i == pair.changedPhone)
    })
}

/// The IPA letter of a phone of flite's US English set.
func ipa(_ phone: String) -> String {
  let letters = [
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "ay": "aɪ", "ch": "tʃ",
    "dh": "ð", "eh": "ɛ", "er": "ɜ", "ey": "eɪ", "hh": "h", "ih": "ɪ", "iy": "i", "jh": "dʒ",
    "ng": "ŋ", "ow": "oʊ", "oy": "ɔɪ", "sh": "ʃ", "th": "θ", "uh": "ʊ", "uw": "u", "y": "j",
    "zh": "ʒ", "r": "ɹ",
  ]
  return letters[phone] ?? phone
}
