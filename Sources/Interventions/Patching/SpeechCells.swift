// What is exchanged between a recogniser's run of a sound that is not speech and its run of speech as
// long: encoder by depth and stretch, what the decoder attends to by layer, and the heads that do
// (`paper/definitions.md`, D106).

import Speech
import Tensor

/// What takes the place of the base run's activations.
public enum SpeechDonor: String, Sendable, CaseIterable {
  /// The other run of the pair.
  case real
  /// Another run of the base's own sort, another sound or other speech, moved as far as the real donor
  /// moves.
  case matched
  /// The mean over sounds that are not speech.
  case mean
}

/// The sets of cells of one item; each is patched together.
public struct SpeechCells: Sendable {
  /// Names of the sets, of the form of numbers in the ledger.
  public let names: [String]
  /// Residual sites of the encoder, from its input up.
  public let depths: [Site]
  public let layers: Int
  public let heads: Int
  private let sets: [[Cell]]

  /// Thirds of the sound, all of it, and what pads it to a full clip.
  public static let windows = ["first", "middle", "last", "sound", "padding"]

  /// - Parameter seconds: the length of the sound
  public init(of model: Whisper, seconds: Double) {
    (layers, heads) = (model.config.layers, model.config.heads)
    depths =
      [Site(.encoder, .embed)]
      + [1, 3, 5].filter { $0 < model.config.encoder.layers }.map { Site(.encoder, $0, .residPost) }
    let end = 1000 * seconds
    let thirds = (0..<3).map { i in
      Window.milliseconds(end * Double(i) / 3, end * Double(i + 1) / 3)
    }
    let windows = thirds + [.milliseconds(0, end), .milliseconds(end, 1e6)]
    // Thirds are not asked of the input, whose patches cost most.
    var all: [(name: String, cells: [Cell])] = depths.flatMap { site in
      zip(SpeechCells.windows, windows).dropFirst(site.layer == nil ? 3 : 0)
        .map { ("\(site).\($0)", [Cell(site, $1)]) }
    }
    func crossing(_ layer: Int, _ letter: String) -> Site {
      Site("decoder.\(layer).cross.\(letter)")!
    }
    let every = 0..<layers
    for (name, window) in zip(SpeechCells.windows, windows).suffix(2) {
      all.append(
        (
          "decoder.cross.kv.\(name)",
          every.flatMap { [Cell(crossing($0, "k"), window), Cell(crossing($0, "v"), window)] }
        ))
    }
    for letters in [["k"], ["v"], ["k", "v"]] {
      all += every.map { layer in
        (
          "decoder.\(layer).cross.\(letters.joined())",
          letters.map { Cell(crossing(layer, $0)) }
        )
      }
    }
    for layer in every {
      all += (0..<heads).map {
        ("decoder.\(layer).cross.z.\($0)", [Cell(crossing(layer, "z"), index: $0)])
      }
    }
    (names, sets) = (all.map(\.name), all.map(\.cells))
  }

  /// The sites that runs have to keep.
  public var sites: [Site] {
    var seen: Set<Site> = []
    return sets.joined().map(\.site).filter { seen.insert($0).inserted }
  }

  /// The place of a set, by site and window; nil where there is none.
  public func index(_ name: String) -> Int? { names.firstIndex(of: name) }

  /// Encoder sets of the whole sound and of the padding, and keys with values.
  public var summary: [Int] {
    names.indices.filter { i in
      [".sound", ".padding", ".kv"].contains { names[i].hasSuffix($0) }
    }
  }

  /// All of the sound behind the encoder's last layer.
  public var lastOfSound: Int { index("\(depths.last!).sound")! }

  /// Thirds and heads are asked of the real donor, heads of its matched control too.
  private func asks(_ donor: SpeechDonor, of set: Int) -> Bool {
    let isHead = names[set].contains(".cross.z.")
    return donor == .real || summary.contains(set) || (isHead && donor == .matched)
      || names[set].hasSuffix(".cross.k") || names[set].hasSuffix(".cross.v")
  }

  /// What the base run says with each set taken from a donor; nil where it is not asked, or a set has no
  /// position.
  ///
  /// - Parameters:
  ///   - source: the real donor
  ///   - stranger: another run of the base's own sort
  public func evidence(
    of recogniser: Recogniser, _ base: Trace, from source: Trace, donor: SpeechDonor,
    stranger: Trace, mean: MeanActivations
  ) throws -> [SpeechEvidence?] {
    let patches = try sets.indices.map { set -> [Patch] in
      guard asks(donor, of: set) else { return [] }
      return try sets[set].compactMap { cell in
        if donor == .mean { return try mean.patch(cell, base: base) }
        guard let selection = try Selection(cell, base: base, source: source, .identity) else {
          return nil
        }
        return donor == .matched
          ? selection.matched(towards: try stranger.rows(of: cell, at: selection.positions))
          : selection.patch()
      }
    }
    var found = try recogniser.evidence(base, with: patches.filter { !$0.isEmpty })[...]
    return patches.map { $0.isEmpty ? nil : found.removeFirst() }
  }

  /// Everything that passes at one depth, taken from a run: the encoder's residual stream, all keys and
  /// values of the sound, and the decoder's residual stream with the encoder's output beside it.
  public func cuts(of model: Whisper, _ base: Trace, from source: Trace) throws -> [[Patch]] {
    let final = Site(.encoder, .final)
    let decoder = model.cuts.map(\.site).filter { $0.stage != .encoder }
    let crossing = sites.filter {
      $0.activation.rawValue == "cross.k" || $0.activation.rawValue == "cross.v"
    }
    return try (depths.map { [$0] } + [crossing] + decoder.map { [final, $0] }).map { sites in
      try sites.compactMap {
        try Selection(Cell($0), base: base, source: source, .identity)?.patch()
      }
    }
  }
}
