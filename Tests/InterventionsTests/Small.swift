// A small random model, two clips and an unrelated one, and a second way to patch that shares
// nothing with the package's but the model.

import Foundation
import Interventions
import Speech
import Tensor

struct Small {
  let config: Qwen2AudioConfig
  let model: AudioLanguageModel
  let question: Question
  let source: Question
  /// Of another length.
  let other: Question

  init(seed: UInt64 = 1, frames: Int = 61, tied: Bool = false) {
    var config = Qwen2AudioConfig()
    config.melBands = 24
    config.encoderWidth = 18
    config.encoderLayers = 2
    config.encoderHeads = 3
    config.encoderMLP = 29
    config.maxSourcePositions = 50
    config.vocabulary = 31
    config.width = 24
    config.layers = 3
    config.heads = 4
    config.keyHeads = 2
    config.mlp = 37
    config.maxPositions = 96
    config.tiesEmbeddings = tied
    config.audioToken = 2
    self.config = config
    let random = Random(seed: seed)
    let parameters = config.randomParameters(random).map { name, tensor in
      (name, (tensor + Tensor(tensor.shape, normal: 0.2, random.split(name + "+"))).detached)
    }
    model = AudioLanguageModel(config, Dictionary(uniqueKeysWithValues: parameters))
    let front = LogMel(bands: config.melBands, samples: 16_000)
    func question(_ frames: Int, _ seed: UInt64) -> Question {
      let wave = Tensor([frames * 160 - 9], normal: 0.1, Random(seed: seed)).numbers
      let audio = [Int](repeating: 2, count: config.sound.audioTokens(melFrames: frames))
      return Question(
        clip: Clip(mel: front(wave), validFrames: frames), tokens: [1] + audio + [3, 7, 5, 9],
        answer: 12, foil: 17)
    }
    self.question = question(frames, seed + 100)
    source = question(frames, seed + 200)
    other = question(frames + 14, seed + 300)
  }

  func cells(_ windows: [Window]) -> [Cell] {
    model.residualSites.flatMap { site in windows.map { Cell(site, $0) } }
  }

  /// One run from the sound on, with one site rewritten: the logit difference of the last position
  /// and every activation.
  func run(
    _ question: Question, at site: Site? = nil, _ rewritten: @escaping (Tensor) -> Tensor = { $0 }
  ) throws -> (difference: Double, states: [Site: Tensor]) {
    let batch = try Batch(
      model.config.sound, clips: [question.clip], prompts: [Prompt(question.tokens)])
    var states: [Site: Tensor] = [:]
    let logits = model.logits(
      after: .encoder(0), model.embedded(batch), in: batch, rows: [question.tokens.count - 1],
      tap: Tap { at, x in
        let x = at == site ? rewritten(x) : x
        states[at] = x
        return x
      })
    return (Double(logits[0, question.answer]) - Double(logits[0, question.foil]), states)
  }

  /// `x` with the numbers of some rows replaced by what `number` says of row and column.
  func replaced(_ x: Tensor, _ rows: [Int], _ number: (Int, Int) -> Float) -> Tensor {
    var numbers = x.numbers
    for row in rows { for j in 0..<x.width { numbers[row * x.width + j] = number(row, j) } }
    return Tensor(x.shape, numbers)
  }
}

/// Windows of many kinds, some of which reach no position of some stages.
let manyWindows: [Window] = {
  var windows: [Window] = [
    .all, .milliseconds(-1000, 95), .milliseconds(95, 205), .milliseconds(205, 1e6),
    .milliseconds(20, 40), .milliseconds(50, 50), .milliseconds(5_000, 6_000), .positions(0, 100),
    .positions(16, 18), .positions(30, 40),
  ]
  for start in stride(from: 13.0, to: 600, by: 100) {
    windows.append(.milliseconds(start, start + 100))
  }
  for token in 0..<20 { windows.append(.positions(token, token + 1)) }
  return windows
}()

/// A folder that is removed with its last reference.
final class Folder {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("interventions-tests-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }
}

/// The stages of the small model, each by a site of it.
extension Timeline {
  private func site(_ stage: Site.Stage) -> Site {
    stage == .connector ? Site(.connector, .out) : Site(stage, .embed)
  }

  var encoder: Int { count(at: site(.encoder)) }
  var audio: Int { count(at: site(.connector)) }
  var firstAudio: Int { spans(of: site(.lm)).firstIndex { $0 != nil } ?? 0 }

  func count(at stage: Site.Stage) -> Int { count(at: site(stage)) }
  func centre(of position: Int, at stage: Site.Stage) -> Double? {
    spans(of: site(stage))[position]?.centre
  }
  func positions(in window: Window, at stage: Site.Stage) -> [Int] {
    positions(in: window, at: site(stage))
  }
}
