import Interventions
import Speech

Runtime.pin()  // one thread and a pinned kernel, for the same bits everywhere
let speech = try SpeechModel(folder: "artifacts/qwen2-audio-small")
let answers = try Answers(answer: speech.textTokens("pat"), foil: speech.textTokens("bat"))

func run(_ recording: String) throws -> Trace {
  let clip = try speech.clip(Waveform(contentsOf: "artifacts/evaluation/kal/\(recording).flac"))
  let prompt = try speech.tokens(for: "which thing:", clip: clip)
  return try speech.model.trace(Question(ModelInput(clip: clip, tokens: prompt), answers))
}
let (clean, corrupt) = (try run("a-pat"), try run("a-bat"))
let gap = clean.logitDifference - corrupt.logitDifference

// Every residual site by windows of 80 ms and the answer's position: the corrupt run, patched exactly.
let length = 10 * Double(corrupt.question.clip.validFrames)
let windows = try WindowPlan.time(80).windows(length: length, segments: nil, text: 1)
let cells = try speech.model.rows("residual", in: corrupt).flatMap { row in
  windows.map { Cell(row.site, $0.window) }
}
let patched = try speech.model.patched(corrupt, from: clean, cells: cells.map { [$0] })
let map = zip(cells, patched).compactMap { cell, value in
  value.map { (recovery: ($0 - corrupt.logitDifference) / gap, cell: cell) }
}
for (recovery, cell) in map.sorted(by: { $0.recovery > $1.recovery }).prefix(10) {
  print(recovery, cell)
}
