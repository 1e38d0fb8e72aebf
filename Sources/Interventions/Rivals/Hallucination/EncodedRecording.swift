// One recording as a recogniser's encoder holds it: what is written of it as it is and steered, and its sound's
// activations behind each layer at some positions (`paper/definitions.md`, D172).

import Foundation
import Speech
import Tensor

/// Activations at some positions of the sound behind each layer of the encoder, [positions, width] each.
public struct EncoderSamples: Codable, Sendable {
  public let layers: [Tensor]

  /// - Parameter layers: of one shape
  public init(_ layers: [Tensor]) {
    precondition(!layers.isEmpty && layers.allSatisfy { $0.shape == layers[0].shape })
    self.layers = layers
  }

  private enum Key: String, CodingKey { case layers, positions, numbers }

  /// Numbers are stored as their memory, since as text they would take longer than the encoder.
  public func encode(to encoder: any Swift.Encoder) throws {
    var box = encoder.container(keyedBy: Key.self)
    try box.encode(layers.count, forKey: .layers)
    try box.encode(layers[0].rows, forKey: .positions)
    try box.encode(layers.flatMap(\.numbers).withUnsafeBytes { Data($0) }, forKey: .numbers)
  }

  public init(from decoder: any Swift.Decoder) throws {
    let box = try decoder.container(keyedBy: Key.self)
    let count = try box.decode(Int.self, forKey: .layers)
    let positions = try box.decode(Int.self, forKey: .positions)
    let data = try box.decode(Data.self, forKey: .numbers)
    var numbers = [Float](repeating: 0, count: data.count / MemoryLayout<Float>.stride)
    let parts = max(count, 0).multipliedReportingOverflow(by: max(positions, 0))
    guard !parts.overflow, parts.partialValue > 0, !numbers.isEmpty,
      numbers.count % parts.partialValue == 0
    else {
      throw CellError(
        "\(data.count) bytes are no activations of \(count) layers at \(positions) positions; run again with --fresh"
      )
    }
    numbers.withUnsafeMutableBytes { $0.copyBytes(from: data.prefix($0.count)) }
    let each = numbers.count / count
    self.init(
      (0..<count).map {
        Tensor([positions, each / positions], Array(numbers[$0 * each..<($0 + 1) * each]))
      })
  }

  /// The mean over positions behind a layer.
  public func mean(_ layer: Int) -> [Double] { DoubleMatrix(layers[layer]).columnMeans }

  /// The mean of each latent over positions behind a layer.
  public func mean(_ layer: Int, _ autoencoder: SparseAutoencoder) -> [Double] {
    DoubleMatrix(autoencoder.encoded(layers[layer])).columnMeans
  }
}

/// What is written of a recording as it is, its means, and samples of its activations.
public struct EncodedRecording: Codable, Sendable {
  public let plain: Hearing
  public let means: HeardMeans
  public let samples: EncoderSamples
  /// How many positions are of the sound: its length.
  public let positions: Int

  public init(plain: Hearing, means: HeardMeans, samples: EncoderSamples, positions: Int) {
    (self.plain, self.means) = (plain, means)
    (self.samples, self.positions) = (samples, positions)
  }
}

extension Recogniser {
  /// - Parameters:
  ///   - positions: the most positions of the sound that are sampled, spread evenly
  ///   - limit: the most tokens of a transcript
  public func encoded(_ recording: Recording, positions: Int, limit: Int) throws -> EncodedRecording
  {
    let (clip, listened, samples) = try listening(to: recording, positions: positions)
    return EncodedRecording(
      plain: try hearing(of: listened, limit: limit), means: HeardMeans(of: clip, listened),
      samples: samples, positions: listened.soundPositions(of: clip))
  }

  func listening(to recording: Recording, positions: Int) throws -> (Clip, Listened, EncoderSamples)
  {
    guard positions > 0 else {
      throw CellError("\(recording.id): \(positions) positions to sample; give at least 1")
    }
    let clip = try model.clip(recording.wave())
    let sites = (0..<model.config.encoder.layers).map { Site(.encoder, $0, .residPost) }
    var streams: [Site: Tensor] = [:]
    let listened = try listened(
      to: clip,
      tap: Tap(Set(sites)) { site, x in
        streams[site] = x.detached
        return x
      })
    let own = Array(0..<listened.soundPositions(of: clip)).spread(positions)
    return (clip, listened, EncoderSamples(sites.map { gatherRows(streams[$0]!, own) }))
  }
}

/// One recording, heard as it is and under each arm.
public struct SteeredRecording: Codable, Sendable {
  public let encoded: EncodedRecording
  /// Where it lies on TAP's axis: 0 as sounds do, 1 as speech does.
  public let position: Double
  /// By arms, and moved along that axis by strengths (D136).
  public let changed: [Hearing]
  public let moved: [Hearing]
  /// Whether strength 0, in each space, leaves everything as it is.
  public let isInert: Bool

  /// With some of the arms, by their places.
  public func keeping(_ arms: [Int]) -> SteeredRecording {
    SteeredRecording(
      encoded: encoded, position: position, changed: arms.map { changed[$0] }, moved: moved,
      isInert: isInert)
  }

  public init(
    encoded: EncodedRecording, position: Double, changed: [Hearing], moved: [Hearing], isInert: Bool
  ) {
    (self.encoded, self.position, self.changed) = (encoded, position, changed)
    (self.moved, self.isInert) = (moved, isInert)
  }
}

extension Recogniser {
  /// Hears a recording under each arm, behind the encoder's last layer, at every position of the padded clip:
  /// what is behind the sound helps to make the model write, and steering the sound alone does less.
  ///
  /// - Parameters:
  ///   - moves: how far it is moved along TAP's axis
  ///   - positions: the most positions that are sampled
  ///   - limit: the most tokens of a transcript
  public func steered(
    _ recording: Recording, _ steering: EncoderSteering, _ arms: [SteeringArm],
    moves: [Double] = [],
    positions: Int, limit: Int
  ) throws -> SteeredRecording {
    let (clip, listened, samples) = try listening(to: recording, positions: positions)
    let last = Site(.encoder, model.config.encoder.layers - 1, .residPost)
    let stream = listened.stream
    let known = steering.autoencoder.encoded(stream)
    let plain = try hearing(of: listened, limit: limit)
    func heard(_ arm: SteeringArm) throws -> Hearing {
      let changed = try steering.steered(stream, by: arm, knowing: known)
      return try hearing(
        of: listened, limit: limit, changing: SpeakingTap([last]) { _, _, _ in changed })
    }
    let means = HeardMeans(of: clip, listened)
    let position = steering.axis.position(of: means.stream)
    let still = steering.contrasts.flatMap { contrast in
      [SteeringArm.Space.activations, .latents].map {
        SteeringArm($0, contrast, latents: 8, strength: 0)
      }
    }
    return SteeredRecording(
      encoded: EncodedRecording(
        plain: plain, means: means, samples: samples, positions: listened.soundPositions(of: clip)),
      position: position,
      changed: try arms.map(heard),
      moved: try moves.map { strength in
        try hearing(
          of: listened, limit: limit,
          changing: listened.adding(
            steering.axis.move(by: strength, from: position), to: clip, at: last))
      },
      isInert: try still.allSatisfy {
        try steering.steered(stream, by: $0, knowing: known).numbers == stream.numbers
      })
  }
}
