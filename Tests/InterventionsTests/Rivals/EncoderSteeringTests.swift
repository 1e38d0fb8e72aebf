// Steering of a recogniser's encoder: what tells two sorts apart and what a move comes to, by numbers that can be
// worked out by hand, controls that must be matched, and, where the published model is there, moves that must change
// nothing.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
private let tiny: String? = {
  let folder = "\(root)/build/models/whisper-tiny.en"
  return FileManager.default.fileExists(atPath: "\(folder)/model.bin") ? folder : nil
}()

private func hearing(_ text: String, noSpeech: Double = 0.5) throws -> Hearing {
  try JSONDecoder().decode(
    Hearing.self,
    from: Data(
      """
      {"transcript": {"tokens": [1], "text": "\(text)", "ended": true}, "noSpeech": \(noSpeech),
       "meanLogProbability": -2, "endAtOnce": 0}
      """.utf8))
}

private func means(_ stream: [Double]) throws -> HeardMeans {
  try JSONDecoder().decode(
    HeardMeans.self, from: Data("{\"stream\": \(stream), \"mel\": [\(stream[0])]}".utf8))
}

private let set = try? NonSpeechSet(manifest: "\(root)/data-manifests/nonspeech.json")

/// A recording whose layers' activations are the same at both of their positions.
private func one(
  _ index: Int, _ text: String, speech: Bool = false, layers: [[Float]], says: String = ""
) throws -> (recording: Recording, encoded: EncodedRecording) {
  let set = try #require(set)
  let recording: Recording
  if speech {
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    recording = Recording([suite.utterances[index]], root: root)
  } else {
    recording = Recording(set.sounds[index], digest: set.digests[index])
  }
  let samples = EncoderSamples(layers.map { Tensor([2, $0.count], $0 + $0) })
  return (
    recording,
    EncodedRecording(
      plain: try hearing(text), means: try means(layers[layers.count - 1].map(Double.init)),
      samples: samples, positions: index)
  )
}

/// Four latents, the first three of them one number of the activation each; the fourth number is not explained.
private let dictionary: SparseAutoencoder = {
  let rows: [Float] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
  return SparseAutoencoder(
    encoder: Tensor([4, 4], rows), encoderBias: Tensor([4]), decoder: Tensor([4, 4], rows),
    decoderBias: Tensor([4]), scale: 2, activation: .relu)
}()

/// Two sounds with a text, two without one, two utterances.
private func known() throws -> [(recording: Recording, encoded: EncodedRecording)] {
  [
    try one(0, "you", layers: [[1, 4, 1, 0]]), try one(1, "you", layers: [[1, 6, 1, 0]]),
    try one(2, ".", layers: [[3, 1, 1, 0]]), try one(3, ".", layers: [[5, 3, 1, 0]]),
    try one(0, "a", speech: true, layers: [[9, 9, 9, 0]]),
    try one(1, "a", speech: true, layers: [[9, 7, 9, 0]]),
  ]
}

private func steering() throws -> EncoderSteering {
  try EncoderSteering(
    dictionary, known(), axis: SpeechAxis(sounds: [[0, 0, 0, 0]], speech: [[1, 0, 0, 0]]),
    Random(seed: 3))
}

@Suite struct EncoderSteeringTests {
  @Test func numbersAreOrderedByDeviationsApart() throws {
    let samples: [[Double]] = [[0, 0, 7], [2, 4, 7], [4, 5, 7], [6, 9, 7]]
    let found = try Discriminant(samples, isTarget: [false, false, true, true])
    #expect(found.shift == [4, 5, 0] && found.activity == [3, 4.5, 7])
    // Deviations of 1 and 2 within a sort: 4 and 2.5 of them apart; what does not differ is left out.
    #expect(found.order == [0, 1])
    let floor = 1e-3 * 5 / 3.0
    #expect(abs(found.score([2, 10, 1]) - (2 * 4 / (1 + floor) + 10 * 5 / (4 + floor))) < 1e-9)
    #expect(found.score([2, 10, 1], by: [0]) == found.score([2, 0, 1]))
    #expect(throws: CellError.self) { try Discriminant([[1], [2]], isTarget: [true, true]) }
    #expect(throws: CellError.self) { try Discriminant([[1], [2, 3]], isTarget: [true, false]) }
    #expect(throws: CellError.self) { try Discriminant([], isTarget: []) }
  }

  /// Of twelve numbers as active as the two that differ, two are drawn, and none of those two.
  @Test func theControlIsAsActive() throws {
    let quiet = (0..<12).map { 5 + 0.01 * Double($0) }
    let busy = [Double](repeating: 50, count: 20)
    let found = try Discriminant(
      [
        [4, 4] + quiet + busy, [4, 4] + quiet + busy, [6, 6] + quiet + busy, [6, 6] + quiet + busy,
      ],
      isTarget: [false, false, true, true])
    let drawn = found.drawn(2, Random(seed: 1))
    #expect(Set(drawn).count == 2 && drawn.allSatisfy { (2..<14).contains($0) })
    #expect(drawn == found.drawn(2, Random(seed: 1)))
  }

  @Test func samplesAreStoredAsTheyAre() throws {
    let samples = EncoderSamples([Tensor([1, 2], [0.1, -3]), Tensor([1, 2], [.pi, 1e-30])])
    let back = try JSONDecoder().decode(EncoderSamples.self, from: JSONEncoder().encode(samples))
    #expect(back.layers.map(\.numbers) == samples.layers.map(\.numbers))
    #expect(back.layers.map(\.shape) == samples.layers.map(\.shape))
    #expect(samples.mean(1) == [Double(Float.pi), Double(Float(1e-30))])
    for text in [
      "{\"layers\": 2, \"positions\": 2, \"numbers\": \"AAAA\"}",
      "{\"layers\": 0, \"positions\": 1, \"numbers\": \"AAAAAA==\"}",
      "{\"layers\": -1, \"positions\": -1, \"numbers\": \"AAAAAA==\"}",
      "{\"layers\": 9223372036854775807, \"positions\": 9, \"numbers\": \"AAAAAA==\"}",
    ] {
      #expect(throws: CellError.self) {
        try JSONDecoder().decode(EncoderSamples.self, from: Data(text.utf8))
      }
    }
  }

  @Test func latentsMoveByTheirOwnDifferenceAndTheErrorStays() throws {
    let steering = try steering()
    #expect(steering.contrasts == [.text, .wrong, .sound])
    let x = Tensor([1, 4], [1, 2, 3, 0.25])
    // Latents are twice the activation: from (2, 10) to (8, 4), so that the first rises by 6 and the second falls
    // by 6; 4 times as far the second stops at 0.
    let text = SteeringArm(.latents, .text, latents: 2)
    #expect(try steering.steered(x, by: text).numbers == [4, 0, 3, 0.25])
    #expect(
      try steering.steered(x, by: SteeringArm(.latents, .text, latents: 1, strength: 0.5)).numbers
        == [2.5, 2, 3, 0.25])
    // What is set to zero is what is more active where a text is written.
    let erased = SteeringArm(.erased, .text, latents: 2)
    #expect(try steering.latents(of: erased).map(\.latent) == [1])
    #expect(try steering.steered(x, by: erased).numbers == [1, 0, 3, 0.25])
    #expect(
      try steering.steered(x, by: SteeringArm(.activations, .text, strength: 2)).numbers
        == [7, -4, 3, 0.25])
    for space in [SteeringArm.Space.activations, .latents] {
      let still = SteeringArm(space, .sound, latents: 3, strength: 0)
      #expect(try steering.steered(x, by: still).numbers == x.numbers)
    }
  }

  /// A drawn direction is as long; drawn latents are as many, others, and moved by as much.
  @Test func controlsMoveAsFar() throws {
    let steering = try steering()
    func square(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 } }
    let arm = SteeringArm(.activations, .text)
    let (own, drawn) = (try steering.direction(of: arm), try steering.direction(of: arm.drawn(0)))
    #expect(own != drawn && abs(square(own) - square(drawn)) < 1e-9)
    #expect(try steering.direction(of: arm.drawn(1)) != drawn)
    let latents = SteeringArm(.latents, .text, latents: 2)
    let (some, others) = (
      try steering.latents(of: latents), try steering.latents(of: latents.drawn(0))
    )
    #expect(Set(some.map(\.latent)).isDisjoint(with: others.map(\.latent)))
    #expect(some.map(\.shift) == others.map(\.shift) && others.count == 2)
  }

  @Test func aContrastThatLacksASortIsSaidToBeMissing() throws {
    let spoken = try known().filter { !$0.recording.isSpeech }
    let axis = try SpeechAxis(sounds: [[0, 0, 0, 0]], speech: [[1, 0, 0, 0]])
    let steering = try EncoderSteering(dictionary, spoken, axis: axis, Random(seed: 3))
    #expect(steering.contrasts == [.text, .wrong])
    #expect(throws: CellError.self) {
      try steering.steered(Tensor([1, 4]), by: SteeringArm(.latents, .sound, latents: 2))
    }
    #expect(throws: CellError.self) {
      try EncoderSteering(dictionary, [], axis: axis, Random(seed: 3))
    }
  }

  /// Two sounds, of which one keeps its words under the first arm and none under the second, which spoils speech.
  @Test func theFewestTextsAtThePriceAreChosen() throws {
    let all = try known()
    let recordings = [all[0], all[2], all[4]].map(\.recording)
    func steered(_ i: Int, _ plain: String, _ changed: [String], noSpeech: Double = 0.5) throws
      -> SteeredRecording
    {
      SteeredRecording(
        encoded: EncodedRecording(
          plain: try hearing(plain, noSpeech: 0.7), means: all[i].encoded.means,
          samples: all[i].encoded.samples, positions: 1),
        position: Double(i) / 4, changed: try changed.map { try hearing($0, noSpeech: noSpeech) },
        moved: [try hearing(plain, noSpeech: 0.7)], isInert: true)
    }
    let said = recordings[2].text
    let heard = [
      try steered(0, "you", ["you", "."]), try steered(2, "you", [".", "."], noSpeech: 0.9),
      try steered(4, said, [said, "no"]),
    ]
    let test = try SteeringTest(recordings, heard, reading: 0.6, draws: 100)
    #expect(test.point(.all).rate == 1 && test.point(.own).rate == 0)
    #expect(test.point(.arm(0)).rate == 0.5 && test.point(.arm(0)).cost == 0)
    #expect(test.point(.arm(1)).rate == 0 && test.point(.arm(1)).cost == 1)
    #expect(test.point(.read(0)).rate == 0.5 && test.point(.move(0)).cost == 1)
    #expect(test.point(.gate(0.6)).rate == 0 && test.point(.gate(0.5)).rate == 0.5)
    #expect(test.curve([.arm(0), .arm(1)], below: 0.01).chosen == .arm(0))
    #expect(test.curve([.arm(0), .arm(1)], below: 2).chosen == .arm(1))
    #expect(test.curve([.all], below: 2).chosen == nil)
    let dear = test.curve([.all, .arm(1)], below: 0.01)
    #expect(dear.chosen == nil && dear.fewest == .arm(1) && dear.points.map(\.rate) == [1, 0])
    let random = Random(seed: 1)
    #expect(test.rate([.arm(0), .arm(1)], random).value == 0.25)
    #expect(test.rate([.arm(0)], less: [.all], times: 0.5, random).value == 0)
    #expect(test.cost([.arm(0), .arm(1)], random).value == 0.5)
    #expect(throws: CellError.self) {
      try SteeringTest(Array(recordings.prefix(2)), Array(heard.prefix(2)), reading: 0.6, draws: 9)
    }
  }

  /// The first layer tells nothing, the last one all, in one latent.
  @Test func areasFindWhatIsPlanted() throws {
    let known = try (0..<12).map { i in
      try one(
        i * 16 / 2, i % 2 == 0 ? "you" : ".",
        layers: [
          [Float(i / 2 % 3), 1, 1, 0], [i % 2 == 0 ? 1 : 3, Float(i / 2 % 3), Float(i / 2 % 2), 0],
        ])
    }
    let detection = try SteeringDetection(
      .text, known: known, quoted: known, [dictionary, dictionary], few: 1,
      axis: try SpeechAxis(sounds: [[0, 0, 0, 0]], speech: [[1, 0, 0, 0]]), controls: 2, draws: 50,
      Random(seed: 2))
    let random = Random(seed: 4)
    #expect(try detection.area(of: "few.1", random).value == 1)
    #expect(try detection.area(of: "activations.0", random).value == 0.5)
    #expect(try detection.area(of: "few.1", less: "activations.0", random).value == 0.5)
    // Along TAP's axis those without a text lie further towards speech.
    #expect(try detection.area(of: "axis", random).value == 0)
    #expect(try detection.area(of: "drawn.1", random).value < 1)
    // Of the twelve sounds that alternate, the longer of each two has none: 21 of 36 in order.
    #expect(abs(try detection.area(of: "length", random).value - 21 / 36.0) < 1e-12)
    #expect(throws: CellError.self) { try detection.area(of: "few.7", random) }
    #expect(throws: CellError.self) {
      try SteeringDetection(
        .sound, known: known, quoted: known, [dictionary], few: 1,
        axis: try SpeechAxis(sounds: [[0, 0, 0, 0]], speech: [[1, 0, 0, 0]]), controls: 1, draws: 9,
        random)
    }
  }

  /// On a published model: strength 0 gives the usual text, and samples are of the encoder's own layers.
  @Test(.enabled(if: tiny != nil)) func strengthZeroIsTheUsualText() throws {
    let recogniser = try Recogniser(folder: try #require(tiny))
    let sounds = try #require(set)
    let recording = Recording(sounds.sounds[0], digest: sounds.digests[0])
    let encoded = try recogniser.encoded(recording, positions: 6, limit: 4)
    let listened = try recogniser.listened(to: recogniser.model.clip(recording.wave()))
    let last = try #require(encoded.samples.layers.last)
    // 1 s is 50 positions.
    #expect(encoded.samples.layers.count == 4 && last.shape == [6, 384] && encoded.positions == 50)
    #expect(Array(last.numbers.prefix(384)) == Array(listened.stream.numbers.prefix(384)))
    #expect(throws: CellError.self) { try recogniser.encoded(recording, positions: 0, limit: 4) }
    let width = last.width
    let identity = (0..<width * width).map { Float($0 % (width + 1) == 0 ? 1 : 0) }
    let autoencoder = SparseAutoencoder(
      encoder: Tensor([width, width], identity), encoderBias: Tensor([width]),
      decoder: Tensor([width, width], identity), decoderBias: Tensor([width]), scale: 1,
      activation: .relu)
    let other = try recogniser.encoded(
      Recording(sounds.sounds[20], digest: sounds.digests[20]), positions: 6, limit: 4)
    let silent = EncodedRecording(
      plain: try hearing("."), means: other.means, samples: other.samples, positions: 1)
    let known = [(recording: recording, encoded: encoded), (recording: recording, encoded: silent)]
    let axis = try SpeechAxis(sounds: [encoded.means.stream], speech: [other.means.stream])
    let steering = try EncoderSteering(autoencoder, known, axis: axis, Random(seed: 1))
    let heard = try recogniser.steered(
      recording, steering,
      [
        SteeringArm(.latents, .text, latents: 9, strength: 0),
        SteeringArm(.activations, .text, strength: 40),
      ], moves: [0], positions: 6, limit: 4)
    #expect(heard.isInert && heard.position == 0)
    #expect(heard.changed[0] == heard.encoded.plain && heard.moved[0] == heard.encoded.plain)
    #expect(heard.changed[1] != heard.encoded.plain)
  }
}
