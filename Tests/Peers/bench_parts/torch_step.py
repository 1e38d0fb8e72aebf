"""A step of training in PyTorch that learns the same from the same: each utterance is encoded once, its questions
are sequences of their own in one batch padded behind, the head sees the rows of answers alone."""

from pathlib import Path


def prepared(job):
    import soundfile
    import torch
    from transformers import Qwen2AudioForConditionalGeneration, WhisperFeatureExtractor

    torch.set_num_threads(job["threads"])
    folder = Path(job["torch"])
    model = Qwen2AudioForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="sdpa").train()
    tower, language = model.model.audio_tower, model.model.language_model
    tower.embed_positions.requires_grad_(False)
    front = WhisperFeatureExtractor.from_pretrained(folder)
    heard = [front(soundfile.read(e["recording"], dtype="float32")[0], sampling_rate=16000,
                   return_tensors="pt", return_attention_mask=True, padding="max_length")
             for e in job["examples"]]
    mel = torch.cat([h.input_features for h in heard])
    rows, tokens = tower._get_feat_extract_output_lengths(
        torch.cat([h.attention_mask for h in heard]).sum(-1))
    hidden = torch.arange(tower.max_source_positions) >= rows[:, None]
    mask = torch.zeros(hidden.shape).masked_fill(hidden, float("-inf"))[:, None, None, :]
    mask = mask.expand(-1, 1, mask.shape[-1], -1)
    placeholder = model.config.audio_token_index if hasattr(model.config, "audio_token_index") \
        else model.config.audio_token_id

    ids, places, owners, reads, targets = [], [], [], [], []
    for i, example in enumerate(job["examples"]):
        place = example["trunk"].index(placeholder)
        trunk = (example["trunk"][:place] + [placeholder] * int(tokens[i])
                 + example["trunk"][place + 1:])
        for branch in example["branches"]:
            prompt = trunk + branch["prompt"]
            for j, token in enumerate(branch["answer"] + [job["end"]]):
                reads.append((len(ids), len(prompt) - 1 + j))
                targets.append(token)
            ids.append(prompt + branch["answer"])
            places.append(place)
            owners.append(i)
    longest = max(map(len, ids))
    batch = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    at = torch.tensor([[i, place + t] for i, place in enumerate(places)
                       for t in range(int(tokens[owners[i]]))])
    of = torch.tensor([[owner, t] for owner in owners for t in range(int(tokens[owner]))])
    reads, targets = torch.tensor(reads), torch.tensor(targets)
    moved = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": [p for p in moved if p.dim() > 1], "weight_decay": 0.01},
         {"params": [p for p in moved if p.dim() <= 1], "weight_decay": 0.0}],
        lr=job["rate"], betas=(0.9, 0.98), eps=1e-8, fused=True)

    def repeat():
        sound = model.model.multi_modal_projector(
            tower(mel, attention_mask=mask).last_hidden_state)
        x = language.get_input_embeddings()(batch)
        x = x.index_put((at[:, 0], at[:, 1]), sound[of[:, 0], of[:, 1]])
        # What is padded lies behind what is read, so that nothing has to be masked.
        out = language(inputs_embeds=x, use_cache=False).last_hidden_state
        loss = torch.nn.functional.cross_entropy(
            model.lm_head(out[reads[:, 0], reads[:, 1]]), targets)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(moved, 1.0)
        optimiser.step()
        return {"loss": loss.item()}
    return repeat
