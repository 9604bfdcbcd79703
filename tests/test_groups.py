"""What makes a step quick changes nothing: one vector of parameters, the slow modes' gradient in closed form."""

import numpy as np
import pytest
import torch
from learning_fixtures import families, family_features, family_spec
from torch import nn

import mdnb
from mdnb.models.base import Batch
from mdnb.models.objectives.slow_modes import _RIDGE, _covariances, _score_and_gradient, _vamp2, _whitened
from mdnb.models.objectives.vamp2_kernel import score_and_gradient
from mdnb.training.groups import Group
from mdnb.training.prepare import prepare
from mdnb.training.state import Average, copy_weights


def build(family: str) -> nn.Module:
    spec = family_spec(family)
    window = mdnb.Window(length=4) if family in ("RNN", "CNNRNN") else None
    plan = prepare(family_features(family), "basin" if spec.supervised else None, spec, None, window, None)
    torch.manual_seed(0)
    return plan.spec.build(plan.task)


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("clip", [5.0, 1e-3])
def test_a_step_is_that_of_torch(family, clip):
    """The parameters as one vector move as AdamW moves them one by one."""
    ours, theirs = build(family), build(family)
    training = mdnb.Training(gradient_clip=clip, learning_rate=1e-2, weight_decay=0.1)
    name = next(iter(ours.groups))
    group = Group(ours.group_parameters(name), training, ours.betas)
    others = theirs.group_parameters(name)
    optimizer = torch.optim.AdamW(others, lr=1e-2, betas=ours.betas, weight_decay=0.1)
    assert [one.stride() for one in ours.parameters()] == [one.stride() for one in theirs.parameters()]
    for step in range(5):
        for parameters, model in ((ours.group_parameters(name), ours), (others, theirs)):
            loss = sum(((one - 0.1 * step).square() * (k + 1)).sum() for k, one in enumerate(parameters))
            if model is ours:
                group.backward(loss)
                group.step(1e-2 / (step + 1))
            else:
                optimizer.param_groups[0]["lr"] = 1e-2 / (step + 1)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(others, clip)
                optimizer.step()
    moved = build(family).state_dict()
    for key, value in ours.state_dict().items():
        assert torch.allclose(value, theirs.state_dict()[key], rtol=1e-5, atol=1e-6), key
        frozen = key not in {
            n for n, one in ours.named_parameters() if any(one is p for p in ours.group_parameters(name))
        }
        assert frozen or not torch.equal(value, moved[key])


def test_only_the_parameters_of_the_group_get_gradients():
    model = build("GAN")
    groups = {name: Group(model.group_parameters(name), mdnb.Training(), model.betas) for name in model.groups}
    batch = Batch(torch.randn(8, 1, *model.shape), None)
    groups["generator"].backward(model.losses(batch, "generator")["loss"])
    assert all(one.abs().sum() > 0 for one in groups["generator"].gradients)
    assert not any(one.any() for one in groups["critic"].gradients)


def test_the_average_follows_the_weights():
    model = build("GAN")
    for name in model.groups:
        Group(model.group_parameters(name), mdnb.Training(), model.betas)
    average, first = Average(model), copy_weights(model)
    with torch.no_grad():
        for one in model.parameters():
            one += 1
    average.update()
    decay = 2 / 11
    for name, one in model.named_parameters():
        assert torch.allclose(average.weights[name], decay * first[name] + (1 - decay) * one, atol=1e-6)


@pytest.mark.parametrize("reversible", [False, True])
@pytest.mark.parametrize("nearly_singular", [False, True])
def test_the_gradient_of_the_score_is_that_of_its_steps(reversible, nearly_singular):
    torch.manual_seed(0)
    mix = torch.randn(4, 4, dtype=torch.float64)
    if nearly_singular:
        mix[:, 3] = mix[:, 2] + 1e-6 * mix[:, 3]
    x = torch.randn(300, 4, dtype=torch.float64)
    y = (x + 0.5 * torch.randn(300, 4, dtype=torch.float64)) @ mix + 3
    x = (x @ mix).requires_grad_()
    y.requires_grad_()
    _, _, c00, c0t, ctt = _covariances(x, y, reversible)
    score = _whitened(torch.linalg.cholesky(c00), torch.linalg.cholesky(ctt), c0t).square().sum() + 1
    ours = _vamp2(torch.cat([x, y]), reversible)
    assert ours.item() == pytest.approx(score.item(), rel=1e-6)
    for one, other in zip(torch.autograd.grad(ours, (x, y)), torch.autograd.grad(score, (x, y)), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-4 * float(other.abs().max()))


def test_the_step_of_one_vector_is_bit_for_bit_the_optimizer_s():
    """After the first step the optimizer's own `step` is not called; the same goes on in both."""
    torch.manual_seed(0)
    nets = [nn.Linear(5, 3) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    training = mdnb.Training(weight_decay=0.1)
    quick, plain = (Group(list(net.parameters()), training, (0.9, 0.999), alone) for net, alone in zip(
        nets, (True, False), strict=True))  # fmt: skip
    called = []
    plain_step = quick.optimizer.step
    quick.optimizer.step = lambda: (called.append(1), plain_step())
    for number in range(4):
        x = torch.randn(7, 5)
        for net, group in zip(nets, (quick, plain), strict=True):
            group.backward(net(x).square().mean())
        quick.step(1e-2 / (number + 1))
        (gradient,) = plain.gradients
        gradient.mul_((5.0 / (torch.linalg.vector_norm(gradient) + 1e-6)).clamp_(max=1.0))
        plain.optimizer.param_groups[0]["lr"] = 1e-2 / (number + 1)
        plain.optimizer.step()
        assert torch.equal(nets[0].weight, nets[1].weight)
    assert called == [1]
    ours, theirs = (group.optimizer.state_dict()["state"][0] for group in (quick, plain))
    assert all(torch.equal(ours[name], theirs[name]) for name in ("step", "exp_avg", "exp_avg_sq"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_slow_modes_score_is_the_same_by_the_kernel_and_by_torch(dtype):
    """A GPU takes torch's, a processor the kernel."""
    x = torch.randn(200, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    ends = torch.cat([x + x.roll(1, 1), x.roll(1, 0) + 5])
    (score, gradient), (expected, slope) = score_and_gradient(ends.numpy(), _RIDGE), _score_and_gradient(ends)
    assert score == pytest.approx(float(expected), abs=1e-9)
    assert gradient.dtype == ends.numpy().dtype
    assert np.allclose(gradient, slope.numpy(), rtol=1e-5, atol=1e-9)


def test_the_score_of_what_is_not_a_number_is_none():
    ends = torch.randn(20, 2)
    ends[3, 1] = torch.nan
    assert np.isnan(score_and_gradient(ends.numpy(), _RIDGE)[0])
    assert _score_and_gradient(ends)[0].isnan()
    assert np.isfinite(score_and_gradient(np.zeros((20, 2), np.float32), _RIDGE)[0])  # no variance at all
