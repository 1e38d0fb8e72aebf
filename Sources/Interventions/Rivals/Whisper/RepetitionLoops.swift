// Repetition loops of a published recogniser, and what is left of them where one part of its decoder is moved
// towards a run on white noise, or set to zero (Glazer et al., 2025, arXiv 2508.15882), beside drawn moves of
// the same size (`paper/definitions.md`, D164).

import Speech
import Tensor

extension Transcript {
  /// Whether it came to its limit in a loop: its last tokens are one piece that stands at least three times,
  /// the third time to its last token.
  public var endsInLoop: Bool {
    guard !ended, tokens.count >= 3 else { return false }
    return (1...(tokens.count / 3)).contains { length in
      (length..<(3 * length)).allSatisfy {
        tokens[tokens.count - 1 - $0] == tokens[tokens.count - 1 - $0 + length]
      }
    }
  }
}

/// A part of the decoder that is intervened on: what a layer's attention to the text, its attention to the
/// sound or its MLP writes, or what one head gathers from the sound.
public struct DecoderPart: Hashable, Codable, Sendable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case text = "attention to the text"
    case sound = "attention to the sound"
    case mlp = "MLP"
    case head = "head of attention to the sound"
  }

  public let layer: Int
  public let kind: Kind
  /// Of a head alone.
  public let head: Int?

  public init(layer: Int, _ kind: Kind, head: Int? = nil) {
    (self.layer, self.kind, self.head) = (layer, kind, kind == .head ? head ?? 0 : nil)
  }

  package var site: Site {
    let activation: Site.Activation =
      switch kind {
      case .text: .attnOut
      case .sound: Site.Activation(rawValue: "cross.out")
      case .mlp: .mlpOut
      case .head: .crossZ
      }
    return Site(.decoder, layer, activation)
  }

  /// The columns of an activation of so many that are its own.
  func columns(of width: Int, heads: Int) -> Range<Int> {
    let each = width / heads
    return head.map { $0 * each..<($0 + 1) * each } ?? 0..<width
  }

  /// Such as `decoder.1.cross.z.3`.
  public var name: String { "\(site)" + (head.map { ".\($0)" } ?? "") }

  /// Parts of one kind, all layers and heads.
  public static func all(_ kind: Kind, of model: Whisper) -> [DecoderPart] {
    (0..<model.config.layers).flatMap { layer in
      (0..<(kind == .head ? model.config.heads : 1)).map {
        DecoderPart(layer: layer, kind, head: kind == .head ? $0 : nil)
      }
    }
  }
}

/// Where a part's activation a is taken: to (1 - alpha) a + alpha r, at every position.
public enum LoopArm: String, Codable, Sendable, CaseIterable {
  /// r is the activation at that position of the run on white noise with the item's tokens forced.
  case noise = "white noise"
  /// Zero ablation.
  case zero
  /// The controls of both: r lies as far from a in a direction that is drawn once for the part; and numbers
  /// of the same layer, as many as the part has, that are drawn once and taken to zero. A part that is all of
  /// its layer's activation has the first for both.
  case drawnNoise = "drawn direction"
  case drawnZero = "drawn numbers"

  /// The matched control of an arm; nil of a control.
  public var control: LoopArm? {
    switch self {
    case .noise: .drawnNoise
    case .zero: .drawnZero
    case .drawnNoise, .drawnZero: nil
    }
  }
}

/// One intervention.
public struct LoopTrial: Hashable, Codable, Sendable {
  public let part: DecoderPart
  public let arm: LoopArm
  /// 0 changes nothing, 1 replaces all.
  public let alpha: Double

  public init(_ part: DecoderPart, _ arm: LoopArm, alpha: Double = 1) {
    (self.part, self.arm, self.alpha) = (part, arm, alpha)
  }
}

/// What one sound's transcript becomes.
public struct ChangedTranscripts: Codable, Sendable {
  public let plain: Transcript
  /// By trials, and by sets of heads that are pruned together; none where the plain one was not to be
  /// changed.
  public let changed: [Transcript]
  public let pruned: [Transcript]

  public init(plain: Transcript, changed: [Transcript], pruned: [Transcript] = []) {
    (self.plain, self.changed, self.pruned) = (plain, changed, pruned)
  }
}

extension Recogniser {
  /// The transcript of a sound, and those of the trials.
  ///
  /// The encoder runs twice for the sound and once for the white noise, whatever the number of trials; a
  /// trial under which every token stays the most probable one is not written again, since its transcript is
  /// the same.
  ///
  /// - Parameters:
  ///   - name: of the sound, which names its white noise
  ///   - pruned: sets of heads that are set to zero together
  ///   - loopsAlone: whether a transcript that does not end in a loop is left as it is
  ///   - limit: the most tokens of a transcript
  ///   - random: of the white noise and of drawn moves, the same for all
  /// - Throws: where a trial's alpha is outside 0 to 1 or the model has no such part, and where the sound is
  ///   silent, so that no white noise is as loud.
  public func transcripts(
    of wave: Waveform, named name: String, _ trials: [LoopTrial], pruned: [[CrossHead]] = [],
    loopsAlone: Bool, limit: Int, _ random: Random
  ) throws -> ChangedTranscripts {
    let known = Set(DecoderPart.Kind.allCases.flatMap { DecoderPart.all($0, of: model) })
    if let bad = trials.first(where: { !(0...1 ~= $0.alpha) || !known.contains($0.part) }) {
      throw CellError(
        "\(bad.part.name), alpha \(bad.alpha): \(folder) has \(model.config.layers) layers of "
          + "\(model.config.heads) heads, and alpha is 0 to 1")
    }
    let clip = try model.clip(wave)
    let listened = try listened(to: clip)
    let plain = try hearing(of: listened, limit: limit).transcript
    if loopsAlone, !plain.endsInLoop { return ChangedTranscripts(plain: plain, changed: []) }

    let said = plain.tokens + (plain.ended ? [try silenceTokens.end] : [])
    let base = try forced(clip, plain.tokens)
    let rows = said.indices.map { start.count - 1 + $0 }
    var reference: [Site: Tensor] = [:]
    let sites = Set(trials.filter { $0.arm == .noise || $0.arm == .drawnNoise }.map(\.part.site))
    if !sites.isEmpty {
      let noise = try wave.whiteNoise(random.split("noise").split(name), name)
      let tap = Tap(sites) { site, x in
        reference[site] = x.detached
        return x
      }
      _ = try forced(model.clip(noise), plain.tokens).logits({ _ in rows }, tap: tap)
    }
    let shift = PartShift(
      heads: model.config.heads, reference: reference,
      positions: start.count + plain.tokens.count, random: random.split("drawn"))
    func written(_ sites: Set<Site>, _ change: @escaping PartShift.Change) throws -> Transcript {
      let logits = base.logits({ _ in rows }, tap: Tap(sites) { change($0, $1, 0) })[0]
      if topTokens(logits, places: Array(said.indices)) == said { return plain }
      let tap = SpeakingTap(sites) { change($0, $1, $2?.lowerBound ?? 0) }
      return try hearing(of: listened, limit: limit, changing: tap).transcript
    }
    let width = model.config.encoder.width / model.config.heads
    return ChangedTranscripts(
      plain: plain,
      changed: try trials.map { try written([$0.part.site], shift.change($0)) },
      pruned: try pruned.map { heads in
        let tap = pruning(heads, width: width)
        return try written(tap.sites) { site, x, _ in tap.changed(site, x) }
      })
  }

  /// The run with these tokens forced, before the decoder's first layer.
  private func forced(_ clip: Clip, _ tokens: [Int]) throws -> any RunState {
    var state = try model.begin(
      ModelInput(clip: clip, tokens: start + tokens), remembering: true, tap: nil)
    while !state.isText, state.advance(tap: nil) {}
    var end = state
    while end.advance(tap: nil) {}
    // What every run from here on shares: keys and values of the sound, which no part of the decoder reaches.
    return state.stacked(1, knowing: end.memory)
  }
}

/// What a trial makes of an activation.
package struct PartShift {
  package typealias Change = (_ site: Site, _ x: Tensor, _ first: Int) -> Tensor

  private let heads: Int
  private let reference: [Site: Tensor]
  private let positions: Int
  private let random: Random

  /// - Parameters:
  ///   - heads: of the decoder
  ///   - reference: what the run on white noise has, [rows, width]
  ///   - positions: how many of its rows are positions; behind its end it is that of its last
  package init(heads: Int, reference: [Site: Tensor], positions: Int, random: Random) {
    (self.heads, self.reference, self.positions) = (heads, reference, positions)
    self.random = random
  }

  /// - Returns: what makes of [rows, width], whose first row is a position, what takes its place
  package func change(_ trial: LoopTrial) -> Change {
    let (part, arm, alpha) = (trial.part, trial.arm, Float(trial.alpha))
    let noise = arm == .noise || arm == .drawnNoise ? reference[part.site] : nil
    let (theirs, drawn) = (noise?.numbers, random.split(part.name))
    return { [heads, positions] _, x, first in
      let own = Array(part.columns(of: x.width, heads: heads))
      var columns = own
      if arm == .drawnZero, part.kind == .head {
        var order = drawn.split("numbers")
        columns = Array(order.permutation(x.width).prefix(own.count))
      }
      let isDirection = arm == .drawnNoise || (arm == .drawnZero && part.kind != .head)
      let direction = isDirection ? unit(own.count, drawn.split("direction")) : []
      var numbers = x.numbers
      for row in 0..<x.rows {
        let (start, other) = (row * x.width, min(first + row, positions - 1) * x.width)
        let move = columns.map { (theirs?[other + $0] ?? 0) - numbers[start + $0] }
        let length = isDirection ? move.reduce(0) { $0 + $1 * $1 }.squareRoot() : 0
        for (i, column) in columns.enumerated() {
          numbers[start + column] += alpha * (isDirection ? length * direction[i] : move[i])
        }
      }
      return Tensor(x.shape, numbers)
    }
  }
}

/// A direction that is drawn, of length 1.
private func unit(_ count: Int, _ random: Random) -> [Float] {
  var random = random
  let raw = (0..<count).map { _ in random.normal() }
  let length = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
  return raw.map { Float($0 / length) }
}

extension Waveform {
  /// White noise as long and, by its mean power, as loud.
  fileprivate func whiteNoise(_ random: Random, _ name: String) throws -> Waveform {
    var random = random
    let raw = samples.map { _ in random.normal() }
    func power(_ x: some Sequence<Double>) -> Double { x.reduce(0) { $0 + $1 * $1 } }
    let own = power(samples.map(Double.init))
    guard own > 0 else {
      throw CellError("\(name): is silent, so no white noise is as loud; leave it out")
    }
    let scale = (own / power(raw)).squareRoot()
    return Waveform(samples: raw.map { Float($0 * scale) }, rate: rate)
  }
}
