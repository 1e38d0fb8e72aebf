// The direction in which a recogniser's encoder holds that there is speech: how far a recording lies along
// it, and what it is to be moved along it (`paper/definitions.md`, D135).

import Speech
import Tensor

/// A direction between the mean of sounds that are not speech and the mean of speech.
public struct SpeechAxis: Codable, Sendable {
  /// The mean over sounds, and the direction along which is read.
  private let origin: [Double]
  let direction: [Double]
  /// How far the mean of speech lies from that of sounds along the direction, times its length.
  private let span: Double

  /// The axis through both means.
  ///
  /// - Parameters: mean activations, one a recording
  /// - Throws: where there are none of one sort, or both means are the same.
  public init(sounds: [[Double]], speech: [[Double]]) throws {
    guard !sounds.isEmpty, !speech.isEmpty else {
      throw CellError("an axis needs recordings of sounds and of speech; give both")
    }
    let (a, b) = (mean(sounds), mean(speech))
    try self.init(origin: a, direction: zip(b, a).map { $0 - $1 }, to: b)
  }

  private init(origin: [Double], direction: [Double], to speech: [Double]) throws {
    (self.origin, self.direction) = (origin, direction)
    span = zip(zip(speech, origin), direction).reduce(0) { $0 + ($1.0.0 - $1.0.1) * $1.1 }
    guard span != 0, span.isFinite else {
      throw CellError("the means of sounds and of speech are the same along the axis")
    }
  }

  /// Of an axis through both means, one through the same origin along a direction that is drawn, as long: the
  /// matched control. The mean of speech lies at 1 along it, too.
  public func drawn(_ random: Random) throws -> SpeechAxis {
    var random = random
    let raw = direction.map { _ in random.normal() }
    let scale = (square(direction) / square(raw)).squareRoot()
    // This axis goes through both means, so that its direction leads to that of speech.
    let speech = zip(origin, direction).map { $0 + $1 }
    return try SpeechAxis(origin: origin, direction: raw.map { scale * $0 }, to: speech)
  }

  /// 0 where a recording lies as sounds do on average, 1 where it lies as speech does.
  public func position(of mean: [Double]) -> Double {
    zip(zip(mean, origin), direction).reduce(0) { $0 + ($1.0.0 - $1.0.1) * $1.1 } / span
  }

  /// How many times the direction leads from 0 to 1 on it.
  var stepToSpeech: Double { span / square(direction) }

  /// Moves a recording's positions further to the side on which it lies: by so many times its distance
  /// from the middle, along the direction.
  ///
  /// - Parameter position: of the recording, along the real axis
  public func move(by strength: Double, from position: Double) -> [Float] {
    direction.map { Float(strength * (position - 0.5) * $0) }
  }
}

private func square(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 } }

private func mean(_ rows: [[Double]]) -> [Double] {
  rows[0].indices.map { c in rows.reduce(0) { $0 + $1[c] } / Double(rows.count) }
}

/// What of a clip is sound, in positions behind the encoder and in frames of the log-mel.
public struct HeardMeans: Codable, Sendable {
  /// Of the encoder's last residual stream, and of the log-mel.
  public let stream: [Double]
  public let mel: [Double]

  public init(of clip: Clip, _ listened: Listened) {
    stream = listened.stream.rowMean(listened.soundPositions(of: clip))
    mel = clip.mel.rowMean(max(clip.validFrames, 1))
  }
}

extension Clip {
  /// How many of a recogniser's positions are of the sound: two frames make one.
  func encoderPositions(among count: Int) -> Int { min(max((validFrames + 1) / 2, 1), count) }
}

extension Listened {
  /// How many of its positions are of the sound.
  func soundPositions(of clip: Clip) -> Int { clip.encoderPositions(among: stream.rows) }

  /// What adds a vector to every position of the sound, behind the encoder's last layer.
  public func adding(_ vector: [Float], to clip: Clip, at last: Site) -> SpeakingTap {
    let count = soundPositions(of: clip)
    return SpeakingTap([last]) { _, x, _ in
      let own = gatherRows(x, Array(0..<count))
      let move = Tensor([count, vector.count], (0..<count).flatMap { _ in vector })
      return replacingRows(x, at: Array(0..<count), with: own + move)
    }
  }
}

extension Tensor {
  /// The mean of the first rows, in Double.
  fileprivate func rowMean(_ count: Int) -> [Double] {
    withNumbers { numbers in
      var sums = [Double](repeating: 0, count: width)
      for r in 0..<count {
        for c in 0..<width { sums[c] += Double(numbers[r * width + c]) }
      }
      return sums.map { $0 / Double(count) }
    }
  }
}
