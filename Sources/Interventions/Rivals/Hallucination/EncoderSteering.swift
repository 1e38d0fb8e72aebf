// Steering of a recogniser's encoder so that nothing is written where nobody speaks: its last layer's activations
// are moved along a difference vector, or by few latents of a sparse autoencoder (Aparin et al., 2026, arXiv
// 2606.07473; `paper/definitions.md`, D172). Every recording is steered alike; nothing asks first whether
// somebody speaks.

import Speech
import Tensor

/// Two sorts of recordings of which one is made more like the other.
public enum SteeringContrast: String, Codable, Sendable, CaseIterable {
  /// Sounds that words are written for are moved to those that none are written for.
  case text = "text to none"
  /// Sounds that words are written for are moved to all else: sounds that none are written for, and speech.
  case wrong = "text to all else"
  /// Speech is moved to sounds.
  case sound = "speech to sounds"

  /// Whether a recording is of the sort that is moved to; nil where it is of neither.
  public func isTarget(_ recording: Recording, _ plain: Hearing) -> Bool? {
    switch self {
    case .text: recording.isSpeech ? nil : !plain.transcript.hasWords
    case .wrong: recording.isSpeech || !plain.transcript.hasWords
    case .sound: !recording.isSpeech
    }
  }
}

/// One way of steering.
public struct SteeringArm: Hashable, Codable, Sendable {
  public enum Space: String, Codable, Sendable, CaseIterable {
    /// The difference of both means is added.
    case activations
    /// Each of the latents is moved by its own difference of means, not below zero.
    case latents
    /// Those of the latents that are more active where steering leads away from are set to zero.
    case erased = "latents set to zero"
  }

  public let space: Space
  public let contrast: SteeringContrast
  /// How many latents; 0 where activations are moved.
  public let latents: Int
  /// Times the difference of means; 0 changes nothing. Nothing where latents are set to zero.
  public let strength: Double
  /// Of the matched control, which draw: a direction of the same length, or latents as active that are moved by
  /// as much.
  public let draw: Int?

  public init(
    _ space: Space, _ contrast: SteeringContrast, latents: Int = 0, strength: Double = 1,
    draw: Int? = nil
  ) {
    (self.space, self.contrast) = (space, contrast)
    self.latents = space == .activations ? 0 : latents
    self.strength = space == .erased ? 1 : strength
    self.draw = draw
  }

  /// The matched control of this one.
  public func drawn(_ draw: Int) -> SteeringArm {
    SteeringArm(space, contrast, latents: latents, strength: strength, draw: draw)
  }

  public var name: String {
    "\(space.rawValue), \(contrast.rawValue)" + (latents > 0 ? ", \(latents) latents" : "")
      + (space == .erased ? "" : ", \(strength)") + (draw.map { ", drawn \($0)" } ?? "")
  }
}

/// What is needed to steer behind the encoder's last layer: an autoencoder, and both spaces' contrasts.
public struct EncoderSteering: Sendable {
  public let autoencoder: SparseAutoencoder
  /// Positions of recordings between the sorts, along TAP's axis of speech.
  public let axis: SpeechAxis
  private let raw: [SteeringContrast: Discriminant]
  private let latent: [SteeringContrast: Discriminant]
  private let random: Random

  /// - Parameters:
  ///   - autoencoder: of the encoder's last residual stream
  ///   - known: recordings with what was heard of them; a contrast of which they lack a sort is left out
  ///   - random: of the controls
  public init(
    _ autoencoder: SparseAutoencoder, _ known: [(recording: Recording, encoded: EncodedRecording)],
    axis: SpeechAxis, _ random: Random
  ) throws {
    let last = (known.first?.encoded.samples.layers.count ?? 0) - 1
    guard last >= 0, known[0].encoded.samples.layers[last].width == autoencoder.width else {
      throw CellError(
        "\(known.count) recordings for an autoencoder of \(autoencoder.width) numbers; give recordings of its "
          + "recogniser")
    }
    (self.autoencoder, self.axis, self.random) = (autoencoder, axis, random)
    (raw, latent) = (
      try known.discriminants { $0.samples.mean(last) },
      try known.discriminants { $0.samples.mean(last, autoencoder) }
    )
  }

  /// The contrasts that both sorts are known of.
  public var contrasts: [SteeringContrast] { SteeringContrast.allCases.filter { raw[$0] != nil } }

  /// The latents of an arm and, of each, by how much it is moved at strength 1.
  ///
  /// - Returns: of a control as many others, each matched in activity to one and moved by as much as that one
  public func latents(of arm: SteeringArm) throws -> [(latent: Int, shift: Double)] {
    let known = try discriminant(latent, arm)
    var chosen = known.order
    if arm.space == .erased { chosen = chosen.filter { known.shift[$0] < 0 } }
    chosen = Array(chosen.prefix(arm.latents))
    let shifts = chosen.map { known.shift[$0] }
    guard let draw = arm.draw else { return Array(zip(chosen, shifts)).map { ($0, $1) } }
    let others = matchedFeatures(
      to: chosen, activities: known.activity,
      random.split("latents").split(arm.contrast.rawValue).split(draw))
    return zip(others, shifts).map { ($0, $1) }
  }

  /// What an arm makes of activations, [positions, width]; the autoencoder's error stays.
  ///
  /// - Parameter known: what the autoencoder makes of `x`, where it is there, so that many arms share it
  public func steered(_ x: Tensor, by arm: SteeringArm, knowing known: Tensor? = nil) throws
    -> Tensor
  {
    switch arm.space {
    case .activations:
      let move = try direction(of: arm).map { Float(arm.strength * $0) }
      return x + Tensor(x.shape, (0..<x.rows).flatMap { _ in move })
    case .latents, .erased:
      let f = known ?? autoencoder.encoded(x)
      let chosen = try latents(of: arm)
      guard !chosen.isEmpty else { return x }
      var change = [Float](repeating: 0, count: f.rows * chosen.count)
      f.withNumbers { own in
        for row in 0..<f.rows {
          for (i, (latent, shift)) in chosen.enumerated() {
            let value = own[row * f.width + latent]
            let wanted =
              arm.space == .erased ? 0 : max(0, value + Float(arm.strength * shift))
            change[row * chosen.count + i] = wanted - value
          }
        }
      }
      let directions = gatherRows(transposed(autoencoder.decoder), chosen.map(\.latent))
      let move = linear(Tensor([f.rows, chosen.count], change), transposed(directions))
      return x + move * (1 / autoencoder.scale)
    }
  }

  /// The difference of means, or a drawn direction as long.
  public func direction(of arm: SteeringArm) throws -> [Double] {
    let shift = try discriminant(raw, arm).shift
    guard let draw = arm.draw else { return shift }
    var random = random.split("direction").split(arm.contrast.rawValue).split(draw)
    let drawn = shift.map { _ in random.normal() }
    func square(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 } }
    let scale = (square(shift) / square(drawn)).squareRoot()
    return drawn.map { scale * $0 }
  }

  private func discriminant(_ space: [SteeringContrast: Discriminant], _ arm: SteeringArm) throws
    -> Discriminant
  {
    guard let known = space[arm.contrast] else {
      throw CellError(
        "\(arm.name): no recording to learn one of the sorts from; give some of both, or leave it out"
      )
    }
    return known
  }
}

extension [(recording: Recording, encoded: EncodedRecording)] {
  /// Of each contrast that both sorts are there of, what tells them apart.
  public func discriminants(_ numbers: (EncodedRecording) -> [Double]) throws
    -> [SteeringContrast: Discriminant]
  {
    let samples = map { numbers($0.encoded) }
    var found: [SteeringContrast: Discriminant] = [:]
    for contrast in SteeringContrast.allCases {
      let sorts = map { contrast.isTarget($0.recording, $0.encoded.plain) }
      let own = indices.filter { sorts[$0] != nil }
      guard Set(own.map { sorts[$0] }).count == 2 else { continue }
      found[contrast] = try Discriminant(
        own.map { samples[$0] }, isTarget: own.map { sorts[$0] == true })
    }
    return found
  }
}
